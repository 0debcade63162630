"""Recipients (R17): who outside Leii is given personal data, how each knows a person, and what each is told of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pseudonymisation.policy.shapes import LawfulBasis, Strict, known_categories, validated

FILE = "recipients.yml"
SHORTEST_REASON = 20
"""Characters below which a reason says nothing."""

Event = Literal["erasure", "correction"]
EVENTS: tuple[Event, ...] = ("erasure", "correction")

Reason = Annotated[str, Field(min_length=SHORTEST_REASON)]
Scalar = str | bool | int
Classified = Mapping[str, Mapping[str, tuple[str, str | None]]]
"""By table of the app, then column: its category, and the kind of identifier that it is."""


@dataclass(frozen=True, kw_only=True)
class Through:
    """The table that says who the person is, by a key that it shares with the table that has the name."""

    table: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Naming:
    """One way in which a recipient knows people: `named` of those rows of the app's `table` whose `person` it is."""

    word: str
    table: str
    person: str
    named: str
    dated: str
    when: Mapping[str, Scalar]
    through: Through | None
    unless_shared: bool


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """`gets`: columns of the app, as table.column. `not_told`: why it is not told, by event."""

    name: str
    title: str
    what_for: str
    promises: tuple[str, ...]
    basis_article: str
    basis_reason: str
    is_given: bool
    since: date | None
    gets: tuple[str, ...]
    never: tuple[str, ...]
    known_as: tuple[Naming, ...]
    told_of: tuple[Event, ...]
    not_told: Mapping[Event, str]

    def is_told_of(self, event: Event) -> bool:
        """Nobody is told of what was never given to them."""
        return self.is_given and event in self.told_of


class _Through(Strict):
    table: str
    key: str


class _Naming(Strict):
    table: str
    person: str
    named: str
    dated: str = Field(alias="from")
    when: dict[str, Scalar] = Field(default_factory=dict)
    through: _Through | None = None
    unless_shared: bool = False


class _Recipient(Strict):
    title: str = Field(min_length=1)
    what_for: str = Field(min_length=10)
    promises: list[str] = Field(min_length=1)
    lawful_basis: LawfulBasis
    given_by: Literal["app", "nobody_yet"]
    since: date | None
    gets: list[str]
    never: list[str] = Field(default_factory=list)
    known_as: dict[str, _Naming] = Field(default_factory=dict)
    told_of: list[Event]
    not_told: dict[Event, Reason] = Field(default_factory=dict)


class _File(Strict):
    recipients: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], _Recipient]


def read_recipients(folder: Path, problems: list[str]) -> dict[str, Recipient]:
    """Read recipients.yml of a policy's folder; adds every fault of shape to `problems`."""
    content = validated(folder / FILE, _File, problems)
    if content is None:
        return {}
    return {name: _recipient(name, raw) for name, raw in content.recipients.items()}


def check_recipient(recipient: Recipient, app: Classified) -> Iterator[str]:
    """Every fault of one recipient as a sentence with its place."""
    where = f"{FILE}: {recipient.name}"
    for event in EVENTS:
        if (event in recipient.told_of) == (event in recipient.not_told):
            yield f"{where}: {event}: must stand either under told_of, or under not_told with the reason"
    if recipient.told_of and not recipient.known_as:
        yield f"{where}: is told of somebody, and known_as does not say how it knows people"
    given = [*recipient.gets, *(f"{naming.table}.{naming.named}" for naming in recipient.known_as)]
    for name in given:
        table, _, column = name.partition(".")
        if column not in app.get(table, {}):
            yield f"{where}: {name} is no column of the app that app_db.yml knows"
        elif category := _forbidden(recipient, app[table][column][0]):
            yield f"{where}: must never get {category}, and {name} is that"
    for category in recipient.never:
        if category not in known_categories():
            yield f"{where}: category {category!r} is not in the fideslang taxonomy"
    for naming in recipient.known_as:
        yield from _check_naming(where, naming, app)


def _check_naming(where: str, naming: Naming, app: Classified) -> Iterator[str]:
    where = f"{where}: known_as {naming.word}"
    columns = app.get(naming.table, {})
    for column in (naming.dated, *naming.when):
        if column not in columns:
            yield f"{where}: {naming.table}.{column} is no column of the app that app_db.yml knows"
    people = columns
    if naming.through is not None:
        people = app.get(naming.through.table, {})
        if naming.through.key not in columns or naming.through.key not in people:
            yield f"{where}: {naming.through.key} is not a column of both {naming.table} and {naming.through.table}"
        if naming.unless_shared:
            yield f"{where}: unless_shared and through cannot be combined"
    if people.get(naming.person, ("", None))[1] != "account":
        yield f"{where}: person must be a column that names an account, and {naming.person!r} is not"


def _forbidden(recipient: Recipient, category: str) -> str | None:
    return next((one for one in recipient.never if category == one or category.startswith(f"{one}.")), None)


def _recipient(name: str, raw: _Recipient) -> Recipient:
    return Recipient(
        name=name,
        title=raw.title,
        what_for=raw.what_for,
        promises=tuple(raw.promises),
        basis_article=raw.lawful_basis.article,
        basis_reason=raw.lawful_basis.why,
        is_given=raw.given_by == "app",
        since=raw.since,
        gets=tuple(raw.gets),
        never=tuple(raw.never),
        known_as=tuple(_naming(word, naming) for word, naming in raw.known_as.items()),
        told_of=tuple(raw.told_of),
        not_told=raw.not_told,
    )


def _naming(word: str, raw: _Naming) -> Naming:
    through = raw.through
    return Naming(
        word=word,
        table=raw.table,
        person=raw.person,
        named=raw.named,
        dated=raw.dated,
        when=raw.when,
        through=Through(table=through.table, key=through.key) if through else None,
        unless_shared=raw.unless_shared,
    )

"""Read the policy's YAML files and refuse whatever is not whole."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from fideslang.default_taxonomy import DEFAULT_TAXONOMY
from pydantic import Field

from pseudonymisation.policy.model import Column, HeldByLaw, OnErasure, Policy, Purpose, Table, Treatment
from pseudonymisation.policy.recipients import read_recipients
from pseudonymisation.policy.shapes import LawfulBasis, Strict, validated
from storage import LeiiError

SOURCES = ("app_db", "stripe", "events")
COLUMN_WORDS = ("category", "type", "identifier", "about", "same_as", "values", "field", "as")


class PolicyError(LeiiError):
    """The policy is not whole. `problems` has one sentence for each fault, with its place."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("the policy is refused:\n" + "\n".join(f"- {problem}" for problem in problems))


class _Disclosure(Strict):
    min_customers: int = Field(ge=1)
    min_providers: int = Field(ge=1)


class _HeldByLaw(Strict):
    statute: str
    years_after_year_end: int = Field(ge=0)


class _Purpose(Strict):
    title: str
    what_for: str
    promises: list[str] = Field(min_length=1)
    lawful_basis: LawfulBasis
    data_use: str
    readers: list[str] = Field(min_length=1)
    retention_days: int = Field(gt=0)
    disclosure: _Disclosure
    held_by_law: _HeldByLaw | None = None


class _PurposesFile(Strict):
    purposes: dict[str, _Purpose]


class _Table(Strict):
    key: list[str] = Field(min_length=1)
    updated_at: str | None = None
    appended_at: str | None = None
    event_at: str | None
    subjects: dict[str, OnErasure]
    only: dict[str, list[str]] = Field(default_factory=dict)
    held_when: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, dict[str, Any]]


class _SourceFile(Strict):
    source: Literal["app_db", "stripe", "events"]
    tables: dict[str, _Table]


def policy_folder() -> Path:
    return Path(str(files("pseudonymisation") / "policy"))


@cache
def load_policy() -> Policy:
    """The project's own policy. Raises PolicyError if a file cannot be read as what it should be."""
    return read_policy(policy_folder())


def read_policy(folder: Path) -> Policy:
    """Read purposes.yml, recipients.yml and one file a source. Raises PolicyError with every fault of shape that was found."""
    problems: list[str] = []
    purposes = validated(folder / "purposes.yml", _PurposesFile, problems)
    sources = [validated(folder / f"{source}.yml", _SourceFile, problems) for source in SOURCES]
    recipients = read_recipients(folder, problems)
    if problems or purposes is None:
        raise PolicyError(problems)
    known = {name: _purpose(name, raw) for name, raw in purposes.purposes.items()}
    tables: dict[tuple[str, str], Table] = {
        (source.source, name): _table(source.source, name, raw, problems)
        for source in sources
        if source is not None
        for name, raw in source.tables.items()
    }
    if problems:
        raise PolicyError(problems)
    return Policy(purposes=known, tables=tables, recipients=recipients)


def known_data_uses() -> frozenset[str]:
    """Every data use of the fideslang taxonomy."""
    return frozenset(use.fides_key for use in DEFAULT_TAXONOMY.data_use)


def _purpose(name: str, raw: _Purpose) -> Purpose:
    held = raw.held_by_law
    return Purpose(
        name=name,
        title=raw.title,
        what_for=raw.what_for,
        promises=tuple(raw.promises),
        basis_article=raw.lawful_basis.article,
        basis_reason=raw.lawful_basis.why,
        data_use=raw.data_use,
        readers=tuple(raw.readers),
        retention_days=raw.retention_days,
        min_customers=raw.disclosure.min_customers,
        min_providers=raw.disclosure.min_providers,
        held_by_law=HeldByLaw(statute=held.statute, years_after_year_end=held.years_after_year_end) if held else None,
    )


def _table(source: str, name: str, raw: _Table, problems: list[str]) -> Table:
    where = f"{source}.yml: {name}"
    return Table(
        source=source,
        name=name,
        key=tuple(raw.key),
        updated_at=raw.updated_at,
        appended_at=raw.appended_at,
        event_at=raw.event_at,
        subjects=raw.subjects,
        only={purpose: tuple(values) for purpose, values in raw.only.items()},
        held_when=raw.held_when,
        columns={path: _column(f"{where}.{path}", path, spec, problems) for path, spec in raw.columns.items()},
    )


def _column(where: str, path: str, spec: Mapping[str, Any], problems: list[str]) -> Column:
    default_output = spec.get("as") or _default_output(path)
    treatments = {
        purpose: treatment
        for purpose, value in spec.items()
        if purpose not in COLUMN_WORDS
        and (treatment := _treatment(f"{where}: {purpose}", value, default_output, problems)) is not None
    }
    if "category" not in spec:
        problems.append(f"{where}: has no category, so nobody has classified it")
    return Column(
        path=path,
        category=str(spec.get("category", "")),
        type=str(spec.get("type", "text")),
        identifier=spec.get("identifier"),
        about=spec.get("about"),
        same_as=spec.get("same_as"),
        values=tuple(str(value) for value in spec.get("values", ())),
        beside_object="field" in spec,
        treatments=treatments,
    )


def _treatment(where: str, value: Any, default_output: str, problems: list[str]) -> Treatment | None:
    if isinstance(value, str):
        return Treatment(name=value, parameter=None, output=default_output)
    words = {key: item for key, item in value.items() if key != "as"} if isinstance(value, dict) else {}
    if len(words) != 1:
        problems.append(f"{where}: write one treatment, as `pseudonym` or as `{{coarsen_time: day, as: name}}`")
        return None
    name, parameter = next(iter(words.items()))
    return Treatment(
        name=name, parameter=None if parameter is True else parameter, output=value.get("as", default_output)
    )


def _default_output(path: str) -> str:
    return path.replace(".", "_").lower()

"""The page by itself: whole in both languages, and nothing in it that reaches out."""

import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from pseudonymisation.access.document import (
    FORMAT,
    OTHER_PARTY,
    YOU,
    Export,
    Gap,
    PurposeSection,
    QuarantinedItem,
    RecipientSection,
    Row,
    RowTable,
    SourceSection,
    VaultSection,
)
from pseudonymisation.access.page import ROWS_SHOWN, render_page
from pseudonymisation.access.wording import PURPOSES, READERS, RECIPIENTS, TREATMENTS
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.treatments import TREATMENTS as ALL_TREATMENTS

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
NASTY = "<script src=https://evil.example/x.js></script><img src=x onerror=alert(1)>"


class Outline(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    return found


KNOWING = [one for one in load_policy().recipients.values() if one.is_given and one.known_as]


def export(rows: int = 3) -> Export:
    messages = [
        Row(fields={"message_id": n, "sender_id": YOU, "body": NASTY, "sent_at": NOW.isoformat()}) for n in range(rows)
    ]
    mention = Row(fields={"recipient_id": YOU, "sender_id": OTHER_PARTY})
    policy = load_policy()
    purposes = [
        PurposeSection(
            name=p.name,
            title=p.title,
            what_for=p.what_for,
            promises=list(p.promises),
            basis_article=p.basis_article,
            basis_reason=p.basis_reason,
            data_use=p.data_use,
            readers=list(p.readers),
            retention_days=p.retention_days,
            held_by_law=None,
            gets=[],
            stored=[
                RowTable(
                    name="app_db__message",
                    rows=[Row(fields={"a": 1}, on_erasure="detached", held_until=date(2031, 12, 31))],
                )
            ],
            computed=[],
            published=[],
        )
        for p in policy.purposes.values()
    ]
    return Export(
        format=FORMAT,
        privacy_request_id=1,
        made_at=NOW,
        deletes_itself_on=date(2026, 11, 29),
        is_complete=False,
        gaps=[Gap(place="stripe", reason="no answer from https://api.stripe.com")],
        controller="Leii",
        contact="post@leii.no",
        complaints_to="Datatilsynet",
        automated_decisions=False,
        sources=[SourceSection(source="app_db", tables=[RowTable(name="message", rows=[*messages, mention])])],
        purposes=purposes,
        recipients=[
            RecipientSection(
                name=one.name,
                title=one.title,
                what_for=one.what_for,
                basis_article=one.basis_article,
                basis_reason=one.basis_reason,
                gets=list(one.gets),
                since=date(2026, 1, 5),
                unsent=[
                    Row(fields={"event": "correction", "known_as.account": NASTY, "now.account.email": "ny@example.no"})
                ],
            )
            for one in KNOWING
        ],
        landing=[],
        quarantine=[
            QuarantinedItem(source="events", reason=NASTY, bytes=3, quarantined_at=NOW, deleted_on=date(2026, 11, 29))
        ],
        held=[],
        registry_answers=[Row(fields={"outcome": "valid", "asked_at": NOW.isoformat()})],
        vault=VaultSection(
            has_secret=True, aliases={"account": 1}, cookie_links=0, tombstones=0, erasure_certificates=[]
        ),
        fraud_flags=[],
        privacy_requests=[],
    )


def test_nothing_in_the_page_runs_or_reaches_out() -> None:
    page = render_page(export())
    found = outline(page)
    assert not {tag for tag, _ in found.tags} & {"script", "img", "link", "iframe", "object", "embed", "form", "base"}
    links = [attributes["href"] for tag, attributes in found.tags if tag == "a"]
    assert links
    assert all(link is not None and link.startswith("#") and link[1:] in found.ids for link in links)
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on") or name == "src"]
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_both_languages_are_whole_and_marked_as_what_they_are() -> None:
    found = outline(render_page(export()))
    assert found.tags[0] == ("html", {"lang": "nb"}) or dict(found.tags)["html"] == {"lang": "nb"}
    assert [attributes["lang"] for tag, attributes in found.tags if tag == "article"] == ["nb", "en"]
    ids = {
        language: [i.split("-", 1)[1] for i in found.ids if i.startswith(f"{language}-")] for language in ("nb", "en")
    }
    assert ids["nb"] == ids["en"]
    assert len(found.ids) == len(set(found.ids))


def test_headings_are_in_order() -> None:
    levels = [int(tag[1]) for tag, _ in outline(render_page(export())).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 2
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_page_says_what_the_law_asks_it_to_say() -> None:
    page = render_page(export())
    for said in (
        "post@leii.no",
        "www.datatilsynet.no",
        "29.11.2026",
        "29 November 2026",
        "art. 22",
        "GDPR art. 6(1)(c)",
    ):
        assert said in page, said
    assert "api.stripe.com" not in page, "technical reasons are for whoever runs the system"


def test_long_tables_are_cut_with_a_word_and_bare_mentions_are_counted() -> None:
    page = render_page(export(rows=ROWS_SHOWN + 7))
    assert page.count(f"Viser {ROWS_SHOWN} av {ROWS_SHOWN + 7} rader") == 1
    assert "1 rader nevner deg" in page


@pytest.mark.parametrize("purpose", load_policy().purposes)
def test_every_purpose_has_norwegian_words(purpose: str) -> None:
    assert purpose in PURPOSES
    assert all(reader in READERS for reader in load_policy().purposes[purpose].readers)


def test_every_recipient_that_knows_people_by_a_name_has_norwegian_words() -> None:
    assert {one.name for one in KNOWING} == set(RECIPIENTS)


def test_recipients_stand_in_both_languages_with_what_they_get_and_have_yet_to_be_told() -> None:
    page = render_page(export())
    for said in ("Leverandøren av enhetsgjenkjenning", "The vendor of device identification", "ny@example.no"):
        assert said in page, said


def test_every_treatment_has_words() -> None:
    assert set(TREATMENTS) == set(ALL_TREATMENTS)

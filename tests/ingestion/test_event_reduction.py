"""Of an event only what some purpose gets is stored, as coarse as all of them need, and nothing else anywhere."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.event_fields import EventField, EventFields
from ingestion.event_reduction import agent, host, network, route, tenth
from ingestion.events import EventsPull, pull_events
from ingestion.landing import open_landing
from ingestion.quarantine import Quarantine
from pseudonymisation.session import prepare_session
from pseudonymisation.treatments import user_agent_family
from storage import LeiiError, Workspace
from tests.ingestion.event_lines import WANTED, context, event, landed_events, write_file

AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Leii/4.12.0 (iPhone; iOS 19.0)",
    "curl/8.9.1",
]


def value(sql: str, raw: str | None) -> Any:
    row = duckdb.execute(f"SELECT {sql} FROM (SELECT ?::VARCHAR AS raw)", [raw]).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.17", "192.0.2.0"),
        ("::ffff:192.0.2.17", "192.0.2.0"),
        ("2001:0DB8:00aa:1234:5678::1", "2001:db8:aa::"),
        ("2001:db8::1", "2001:db8:0::"),
        ("192.0.2.17, 10.0.0.1", None),
        ("Planted Nordmann", None),
        (None, None),
    ],
)
def test_an_address_becomes_its_network(address: str | None, expected: str | None) -> None:
    assert value(network("raw"), address) == expected


@pytest.mark.parametrize("address", ["192.0.2.17", "2001:db8::1", "2001:db8:aa:1:2:3:4:5", "fe80::1:2"])
def test_a_reduced_address_is_of_the_same_network_as_the_one_of_a_login(workspace: Workspace, address: str) -> None:
    with workspace.connect() as con:
        prepare_session(con, workspace, "fraud")
        suffix = "/32" if "." in address else "/128"
        row = con.execute(f"SELECT network_of({network('raw')}), network_of(raw), network_of(raw || '{suffix}') "
                          "FROM (SELECT ?::VARCHAR AS raw)", [address]).fetchone()  # fmt: skip
    assert row is not None
    assert row[0] is not None
    assert len(set(row)) == 1


@pytest.mark.parametrize("user_agent", AGENTS)
def test_a_reduced_user_agent_says_the_same_and_no_more(user_agent: str) -> None:
    policy_column, treatment = next(_agent_treatments())
    reduced = value(agent("raw"), user_agent)
    assert len(reduced) < 20
    for output in user_agent_family(policy_column, treatment, "raw"):
        assert value(output.sql, reduced) == value(output.sql, user_agent)


def _agent_treatments() -> Any:
    from pseudonymisation.policy.reading import load_policy

    column = load_policy().table("events", "event").columns["context.userAgent"]
    yield from ((column, treatment) for treatment in column.treatments.values())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://leii.example/tilbydere/4711/omtaler?q=planted#x", "/tilbydere/:id/omtaler"),
        ("/tilbydere/0cc175b9-c0f1-46b6-a31c-399e269772f2", "/tilbydere/:id"),
        ("/bruker/kari@example.no/", "/bruker/:id/"),
        ("/min-side", "/min-side"),
        ("https://leii.example", "/"),
        ("/" + "a" * 40, "/:id"),
        (None, None),
    ],
)
def test_an_address_of_a_page_becomes_its_route(url: str | None, expected: str | None) -> None:
    assert value(route("raw"), url) == expected


def test_a_referrer_becomes_its_host_and_a_position_a_tenth_of_a_degree() -> None:
    assert value(host("raw"), "https://planted:pw@www.Example.com:8443/search?q=planted") == "www.example.com"
    assert value(host("raw"), "planted") is None
    assert value(tenth("raw"), "59.913868") == "59.9"
    assert value(tenth("raw"), "planted") is None


EVERYTHING = EventFields(
    kept=tuple(
        EventField(path=path, type=type_)
        for path, type_ in [
            ("context.ip", "text"),
            ("context.userAgent", "text"),
            ("context.page.url", "text"),
            ("context.page.referrer", "text"),
            ("context.location.latitude", "number"),
            ("context.location.longitude", "number"),
        ]
    )
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "events"


def pull(workspace: Workspace, root: Path, wanted: EventFields, *lines: dict[str, Any]) -> EventsPull:
    write_file(root, lines)
    with open_landing(workspace) as landing:
        return pull_events(workspace, landing, root=str(root), wanted=wanted)


def test_what_lands_is_coarse_already_whatever_a_purpose_may_ask_for(workspace: Workspace, root: Path) -> None:
    precise = {
        **context(analytics=True, marketing=True),
        "userAgent": AGENTS[0],
        "ip": "192.0.2.17",
        "location": {"latitude": 59.913868, "longitude": 10.752245, "city": "Planted"},
        "page": {
            "url": "https://leii.example/tilbydere/4711?q=planted",
            "referrer": "https://search.example/?q=planted",
            "title": "Planted",
        },
    }
    pull(workspace, root, EVERYTHING, event("m1", context=precise, traits={"email": "planted@example.no"}))
    (row,) = landed_events(workspace)
    assert json.loads(row["payload"])["context"] == {
        "ip": "192.0.2.0",
        "userAgent": "Safari Mobile",
        "page": {"url": "/tilbydere/:id", "referrer": "search.example"},
        "location": {"latitude": "59.9", "longitude": "10.8"},
    }
    for exact in ("lanted", "192.0.2.17", "59.91", "10.75", "4711", "iPhone"):
        assert exact not in row["payload"]


def test_a_property_that_nobody_has_classified_is_left_out_and_named_and_never_its_value(
    workspace: Workspace, root: Path
) -> None:
    properties = {"category": "cleaning", "shoe_size": "planted 46", "planted@example.no": 1, "41234567": True}
    done = pull(workspace, root, WANTED, event("m1", properties=properties, favourite={"colour": "planted"}))
    assert done.unclassified == {"properties.shoe_size", "properties.(a name that is not shown)", "favourite"}
    (row,) = landed_events(workspace)
    assert json.loads(row["payload"])["properties"] == {"category": "cleaning"}


RETYPED = [
    ("position", "third", "a whole number"),
    ("position", 1.5, "a whole number"),
    ("results", "planted", "a list"),
    ("category", ["cleaning"], "text"),
    ("postal_code", 150, "text"),
    ("provider_id", {"id": "planted"}, "text or a whole number"),
]


@pytest.mark.parametrize(("name", "retyped", "words"), RETYPED)
def test_a_retyped_property_goes_to_quarantine_with_a_clear_word_and_the_others_go_on(
    workspace: Workspace, root: Path, name: str, retyped: Any, words: str
) -> None:
    done = pull(workspace, root, WANTED, event("m1", properties={name: retyped}), event("m2"), event("m1"))
    assert (done.landed, done.quarantined, done.duplicates) == (2, 1, 0)
    (row,) = Quarantine(workspace).list().to_pylist()
    assert (row["reason_code"], row["reason"]) == (
        f"retyped properties.{name}",
        f"properties.{name} is not {words}",
    )


def test_a_line_that_is_broken_in_two_ways_is_kept_once(workspace: Workspace, root: Path) -> None:
    done = pull(workspace, root, WANTED, event("m1", properties={"position": "third"}, receivedAt="yesterday"))
    assert (done.landed, done.quarantined) == (0, 1)
    (row,) = Quarantine(workspace).list().to_pylist()
    assert row["reason_code"] == "received_at"


def test_a_retyped_event_without_consent_is_not_kept_in_quarantine_either(workspace: Workspace, root: Path) -> None:
    refused = event("m1", properties={"position": "planted"}, context=context(analytics=False, marketing=True))
    done = pull(workspace, root, WANTED, refused)
    assert (done.refused_without_consent, done.quarantined) == (1, 0)


RANGES = """\
192.0.2.0,192.0.2.255,NO
198.51.100.0,198.51.100.127,SE
2001:db8:1::,2001:db8:2:ffff:ffff:ffff:ffff:ffff,dk
"""


def pull_with_countries(workspace: Workspace, root: Path, file: Path | None, *addresses: str) -> list[str | None]:
    lines = [
        event(f"m{number}", context={**context(analytics=True, marketing=True), "ip": address, "ip_country": "XX"})
        for number, address in enumerate(addresses)
    ]
    write_file(root, lines)
    with open_landing(workspace) as landing:
        pull_events(workspace, landing, root=str(root), wanted=WANTED, ip_countries=file)
    return [json.loads(row["payload"])["context"].get("ip_country") for row in landed_events(workspace)]


def test_an_address_has_a_country_only_from_the_operators_own_table(
    workspace: Workspace, root: Path, tmp_path: Path
) -> None:
    file = tmp_path / "ranges.csv"
    file.write_text(RANGES)
    asked = (
        "192.0.2.17",
        "198.51.100.128",
        "198.51.100.127",
        "2001:db8:2:3::1",
        "2001:db8:3::1",
        "::ffff:192.0.2.1",
        "?",
    )
    assert pull_with_countries(workspace, root, file, *asked) == ["NO", None, "SE", "DK", None, "NO", None]


def test_without_a_table_no_country_is_known_not_even_one_that_the_client_claims(
    workspace: Workspace, root: Path
) -> None:
    assert pull_with_countries(workspace, root, None, "192.0.2.17") == [None]


@pytest.mark.parametrize(
    "content", ["", "192.0.2.0,NO\n", "192.0.2.9,192.0.2.1,NO\n", "a,b,NO\n", "192.0.2.0,192.0.2.1,Norway\n"]
)
def test_a_table_of_another_form_is_refused(workspace: Workspace, root: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "ranges.csv"
    file.write_text(content)
    with pytest.raises(LeiiError, match="LEII_IP_COUNTRIES"):
        pull_with_countries(workspace, root, file, "192.0.2.17")

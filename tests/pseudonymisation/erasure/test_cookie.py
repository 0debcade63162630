"""A cookie that no account is tied to is erased through the same ledger, to a certificate, and does not come back."""

import json
from typing import Any

import pytest

from pseudonymisation.erasure import prepare_erasures
from pseudonymisation.erasure.certificate import public_key_file, verify_certificate
from storage import LeiiError
from tests.pseudonymisation.conftest import NOON, account_id
from tests.pseudonymisation.erasure.conftest import Town, certificate_files
from tests.pseudonymisation.test_consent import sent

COOKIE = "anonymous-cookie-1"


@pytest.fixture
def browsed(town: Town) -> Town:
    """Two visits under the cookie, one under somebody else's, and one under a cookie that an account has used."""
    town.people(1)
    town.market.land_events(*visits())
    town.market.load()
    return town


def visits() -> list[dict[str, Any]]:
    return [
        sent("one", NOON, anonymousId=COOKIE),
        sent("two", NOON, anonymousId=COOKIE),
        sent("other", NOON, anonymousId="anonymous-cookie-2"),
        sent("shared", NOON, anonymousId="cookie-of-an-account", userId=account_id(1)),
    ]


def prepare(town: Town, cookie: str) -> None:
    prepare_erasures(town.market.workspace, town.market.policy, town.dsn, cookie=cookie)


def events(town: Town) -> int:
    return len(town.market.rows("matching", "events__event"))


def test_everything_under_the_cookie_goes_to_a_certificate_and_stays_away(browsed: Town) -> None:
    prepare(browsed, COOKIE)
    result = browsed.erase()
    assert (len(result.certificates), result.blocked, events(browsed)) == (1, (), 2)
    [path] = certificate_files(browsed.market.workspace.home.root)
    assert verify_certificate(path, public_key_file(browsed.market.workspace)).problems == ()
    content = json.loads(path.read_text())["certificate"]
    deleted = {(one["purpose"], one["table"]): one["rows_deleted"] for one in content["erased"]}
    assert deleted[("matching", "events__event")] == 2
    assert (content["recipients"], content["unsent_notices"]) == ([], None)
    browsed.market.land_events(*visits(), sent("three", NOON, anonymousId=COOKIE))
    assert browsed.market.load()["matching"].tables["events__event"].refused_erased == 3
    assert events(browsed) == 2
    with pytest.raises(LeiiError, match="erased already"):
        prepare(browsed, COOKIE)


@pytest.mark.parametrize(
    ("cookie", "why"),
    [("cookie-of-an-account", "an account has used"), ("never-seen", "nothing is kept"), ("", "nothing")],
)
def test_what_is_no_cookie_of_nobodys_is_refused_and_nothing_changes(browsed: Town, cookie: str, why: str) -> None:
    with pytest.raises(LeiiError, match=why) as refused:
        prepare(browsed, cookie)
    assert not cookie or cookie not in str(refused.value)
    assert browsed.erase().certificates == ()
    assert events(browsed) == 4

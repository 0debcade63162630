"""A further type of Stripe's is an entry in the catalogue and one in the policy: it is backfilled, followed and stored."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion import stripe_objects
from ingestion.landing import open_landing
from ingestion.stripe_objects import StripeType
from ingestion.stripe_sync import pull_stripe
from pseudonymisation.policy.reading import policy_folder, read_policy
from pseudonymisation.policy.source_tables import stripe_shapes
from storage import Workspace
from tests.ingestion import stripe_market
from tests.pseudonymisation.conftest import Market

TOPUP = StripeType(name="topup", path="/v1/topups")
ENTRY = """
  topup:
    key: [id]
    event_at: created
    subjects: {}
    columns:
      id: {category: user.payment, identifier: topup, accounting: pseudonym, as: topup_id}
      amount: {category: user.payment, type: integer, accounting: keep}
      created: {category: user.payment, type: epoch, accounting: {coarsen_time: day}, as: created_at}
      status: {category: user.payment, accounting: code}
"""


def test_a_new_type_is_one_entry_of_the_catalogue_and_one_of_the_policy(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_objects, "STRIPE_TYPES", (*stripe_objects.STRIPE_TYPES, TOPUP))
    monkeypatch.setitem(stripe_objects.BY_NAME, "topup", TOPUP)
    folder = Path(shutil.copytree(policy_folder(), tmp_path / "policy"))
    with (folder / "stripe.yml").open("a", encoding="utf-8") as file:
        file.write(ENTRY)
    policy = read_policy(folder)
    books = Market(workspace, policy)
    market = stripe_market.Market(folder=tmp_path / "stripe")
    for number in range(130):
        market.put("topup", f"tu_{number}", created=market.now - number * 3600, amount=number, status="pending")
    market.put("event", "evt_0", type="charge.updated")
    market.write()

    def pull(now: int) -> None:
        at = Workspace(home=workspace.home, keyring=workspace.keyring, now=datetime.fromtimestamp(now, UTC))
        with open_landing(workspace) as landing:
            result = pull_stripe(
                at,
                landing,
                api_key=double.api_key,
                api_base=double.base_url,
                types=["topup"],
                shapes=stripe_shapes(policy),
            )
        assert result.errors == {}
        books.load()

    with stripe_market.served(market) as double:
        pull(market.now)
        rows = books.rows("accounting", "stripe__topup")
        assert sorted(row["amount"] for row in rows) == list(range(130))
        market.now += 3600
        market.change("tu_7", "topup.succeeded", status="succeeded")
        stripe_market.show(market, double)
        pull(market.now)
    rows = books.rows("accounting", "stripe__topup")
    assert len(rows) == 130
    assert [row["amount"] for row in rows if row["status"] == "succeeded"] == [7]

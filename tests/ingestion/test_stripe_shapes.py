"""A field that is new is named and goes nowhere; one that is gone or retyped stops its table, and no other."""

from collections.abc import Iterator

import pytest

from ingestion.landing import Landing, open_landing
from ingestion.stripe_shapes import ChangedShapeError, ObjectShape, watch
from ingestion.stripe_sync import pull_stripe
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.policy.source_tables import stripe_shapes
from storage import Workspace
from tests.ingestion.stripe_market import EXAMPLES, Object, landed, served, show, small_market

TYPES = ["charge", "refund", "transfer"]


@pytest.fixture
def landing(workspace: Workspace) -> Iterator[Landing]:
    with open_landing(workspace) as opened:
        yield opened


def test_stripes_own_examples_have_the_shapes_that_the_policy_knows() -> None:
    shapes = {shape.table: shape for shape in stripe_shapes(load_policy())}
    for kind, example in EXAMPLES.items():
        if (table := kind.replace(".", "_")) in shapes:
            assert set(example) <= shapes[table].classified, table
            assert {path for path in shapes[table].used if "." not in path} <= set(example), table


def test_a_changed_shape_stops_its_table_and_a_new_field_is_named(
    workspace: Workspace, landing: Landing, tmp_path_factory: pytest.TempPathFactory
) -> None:
    market = small_market(tmp_path_factory.mktemp("changed"))
    market.change("ch_5", captured="[redacted]")
    market.change("ch_7", paid="yes")
    for object_id, value in market.objects.items():
        if value["object"] == "refund":
            market.objects[object_id] = {key: held for key, held in value.items() if key != "reason"}
        if value["object"] == "transfer":
            value["surprise"] = "anna@example.com"
    for value in market.objects.values():
        if value["object"] == "charge":
            value["transfer_data"] = {"destination": "acct_1A"}
    market.write()
    shapes = stripe_shapes(load_policy())
    with served(market) as double:
        result = pull_stripe(
            workspace, landing, api_key=double.api_key, api_base=double.base_url, types=TYPES, shapes=shapes
        )
        assert "charge.paid is no boolean any more" in result.errors["charge"]
        assert "refund has no reason any more" in result.errors["refund"]
        assert sorted(result.errors) == ["charge", "refund"]
        assert result.notes == ("nobody has classified transfer (surprise): left out of every load",)
        state, truth = landed(workspace, landing), market.truth()
        assert state["transfer"] == truth["transfer"]
        assert state["refund"] == {}

        market.change("ch_7", paid=True)
        market.change("re_0", reason="duplicate")
        show(market, double)
        mended = pull_stripe(
            workspace, landing, api_key=double.api_key, api_base=double.base_url, types=TYPES, shapes=shapes
        )
    assert mended.errors == {}
    assert {name: landed(workspace, landing)[name] for name in TYPES} == {name: market.truth()[name] for name in TYPES}


def test_an_expanded_field_is_landed_as_the_id_that_it_stands_for(
    workspace: Workspace, landing: Landing, tmp_path_factory: pytest.TempPathFactory
) -> None:
    market = small_market(tmp_path_factory.mktemp("expanded"))
    market.change("ch_3", transfer_data={"amount": None, "destination": {"id": "acct_1B", "object": "account"}})
    market.change("ch_4", customer={"id": "cus_9", "object": "customer", "email": "anna@example.com"})
    market.write()
    with served(market) as double:
        pulled = pull_stripe(
            workspace,
            landing,
            api_key=double.api_key,
            api_base=double.base_url,
            types=["charge"],
            shapes=stripe_shapes(load_policy()),
        )
    assert pulled.errors == {}
    charges = landed(workspace, landing)["charge"]
    assert charges["ch_3"][3]["transfer_data"] == {"amount": None, "destination": "acct_1B"}
    assert charges["ch_4"][3]["customer"] == "cus_9"


@pytest.mark.parametrize("field", [{}, {"id": None}, {"id": 9}])
def test_an_object_in_the_place_of_an_id_that_has_none_stops_its_table_whatever_came_before(field: Object) -> None:
    seen = watch([ObjectShape(table="charge", classified=frozenset({"id", "customer"}), used={"customer": "text"})])
    assert seen.look_at("charge", {"id": "ch_1", "customer": {"id": "cus_1"}}) == {"id": "ch_1", "customer": "cus_1"}
    with pytest.raises(ChangedShapeError, match=r"charge\.customer is no text any more"):
        seen.look_at("charge", {"id": "ch_2", "customer": field})

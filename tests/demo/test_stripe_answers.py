"""The double's answers, held against Stripe's shapes and asked for through Stripe's own package."""

import importlib
import typing
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import stripe
from stripe._object_classes import get_object_class

from demo.stripe_cli import StripeDouble, start_stripe_double
from demo.stripe_resources import ENDPOINTS, SHAPES, STEERING_KEYS, Endpoint
from tests.demo.stripe_examples import (
    CHARGES,
    DAY,
    EXAMPLES,
    NOW,
    SALON,
    SHOP,
    TODAY,
    Object,
    marketplace,
    write_objects,
)

WRITTEN: dict[str, Object] = {made["id"]: made for made in marketplace()}

# By type: an id, and how the package lists and retrieves it.
Reader = Callable[[stripe.StripeClient], Any]
READERS: dict[str, tuple[str, Reader, Reader]] = {
    "account": (SHOP, lambda c: c.v1.accounts.list(), lambda c: c.v1.accounts.retrieve(SHOP)),
    "person": (
        "person_1",
        lambda c: c.v1.accounts.persons.list(SHOP),
        lambda c: c.v1.accounts.persons.retrieve(SHOP, "person_1"),
    ),
    "bank_account": (
        "ba_1",
        lambda c: c.v1.accounts.external_accounts.list(SHOP),
        lambda c: c.v1.accounts.external_accounts.retrieve(SHOP, "ba_1"),
    ),
    "card": (
        "card_1",
        lambda c: c.v1.accounts.external_accounts.list(SHOP, {"object": "card"}),
        lambda c: c.v1.accounts.external_accounts.retrieve(SHOP, "card_1"),
    ),
    "customer": ("cus_1", lambda c: c.v1.customers.list(), lambda c: c.v1.customers.retrieve("cus_1")),
    "payment_method": (
        "pm_1",
        lambda c: c.v1.customers.payment_methods.list("cus_1"),
        lambda c: c.v1.payment_methods.retrieve("pm_1"),
    ),
    "payment_intent": (
        "pi_0",
        lambda c: c.v1.payment_intents.list(),
        lambda c: c.v1.payment_intents.retrieve("pi_0"),
    ),
    "charge": ("ch_0", lambda c: c.v1.charges.list(), lambda c: c.v1.charges.retrieve("ch_0")),
    "refund": ("re_1", lambda c: c.v1.refunds.list(), lambda c: c.v1.refunds.retrieve("re_1")),
    "dispute": ("dp_1", lambda c: c.v1.disputes.list(), lambda c: c.v1.disputes.retrieve("dp_1")),
    "transfer": ("tr_1", lambda c: c.v1.transfers.list(), lambda c: c.v1.transfers.retrieve("tr_1")),
    "transfer_reversal": (
        "trr_1",
        lambda c: c.v1.transfers.reversals.list("tr_1"),
        lambda c: c.v1.transfers.reversals.retrieve("tr_1", "trr_1"),
    ),
    "application_fee": (
        "fee_1",
        lambda c: c.v1.application_fees.list(),
        lambda c: c.v1.application_fees.retrieve("fee_1"),
    ),
    "fee_refund": (
        "fr_1",
        lambda c: c.v1.application_fees.refunds.list("fee_1"),
        lambda c: c.v1.application_fees.refunds.retrieve("fee_1", "fr_1"),
    ),
    "balance_transaction": (
        "txn_0",
        lambda c: c.v1.balance_transactions.list(),
        lambda c: c.v1.balance_transactions.retrieve("txn_0"),
    ),
    "payout": ("po_1", lambda c: c.v1.payouts.list(), lambda c: c.v1.payouts.retrieve("po_1")),
    "topup": ("tu_1", lambda c: c.v1.topups.list(), lambda c: c.v1.topups.retrieve("tu_1")),
    "radar.early_fraud_warning": (
        "issfr_1",
        lambda c: c.v1.radar.early_fraud_warnings.list(),
        lambda c: c.v1.radar.early_fraud_warnings.retrieve("issfr_1"),
    ),
    "review": ("prv_1", lambda c: c.v1.reviews.list(), lambda c: c.v1.reviews.retrieve("prv_1")),
    "identity.verification_session": (
        "vs_1",
        lambda c: c.v1.identity.verification_sessions.list(),
        lambda c: c.v1.identity.verification_sessions.retrieve("vs_1"),
    ),
    "event": ("evt_1", lambda c: c.v1.events.list(), lambda c: c.v1.events.retrieve("evt_1")),
}


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeDouble]:
    folder = tmp_path_factory.mktemp("objects")
    write_objects(folder, marketplace())
    with start_stripe_double(folder, rate_limit=0, now=NOW) as running:
        yield running


@pytest.fixture(scope="module")
def client(double: StripeDouble) -> stripe.StripeClient:
    return double.client(max_network_retries=0)


@pytest.fixture(scope="module")
def http(double: StripeDouble) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=double.base_url, headers={"Authorization": f"Bearer {double.api_key}"}) as session:
        yield session


def keys(value: Any) -> Any:
    """The fields of an object at every depth, without their values."""
    return {name: keys(inner) for name, inner in value.items()} if isinstance(value, dict) else None


def published(made: Object) -> Object:
    return {name: value for name, value in made.items() if name not in STEERING_KEYS}


def ids(page: Any) -> list[str]:
    return [item.id for item in page.data]


def refusal(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error.get("code"), error.get("param")


@pytest.mark.parametrize("type_name", READERS)
def test_every_type_answers_field_for_field_in_stripes_shape(client: stripe.StripeClient, type_name: str) -> None:
    object_id, lister, retriever = READERS[type_name]
    page, retrieved = lister(client), retriever(client)
    assert keys({item.id: item.to_dict() for item in page.data}[object_id]) == keys(EXAMPLES[type_name])
    assert keys(retrieved.to_dict()) == keys(EXAMPLES[type_name])
    assert retrieved.last_response.data == published(WRITTEN[object_id])
    assert retrieved.last_response.data in page.last_response.data["data"]


def test_every_listed_type_is_among_those_held_against_the_shapes() -> None:
    assert {type_name for endpoint in ENDPOINTS for type_name in endpoint.types} == READERS.keys()


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_a_list_takes_the_parameters_of_stripes_package_and_no_others(endpoint: Endpoint) -> None:
    modules = {
        "/v1/accounts/{parent}/persons": "_account_person",
        "/v1/accounts/{parent}/external_accounts": "_account_external_account",
        "/v1/customers/{parent}/payment_methods": "_customer_payment_method",
        "/v1/charges/{parent}/refunds": "_charge",
        "/v1/transfers/{parent}/reversals": "_transfer_reversal",
        "/v1/application_fees/{parent}/refunds": "_application_fee_refund",
        "/v1/radar/early_fraud_warnings": "radar._early_fraud_warning",
        "/v1/identity/verification_sessions": "identity._verification_session",
    }
    module = modules.get(endpoint.path, f"_{endpoint.path.removeprefix('/v1/').removesuffix('s')}")
    suffix = "_list_refunds_params" if endpoint.path == "/v1/charges/{parent}/refunds" else "_list_params"
    params = importlib.import_module(f"stripe.params.{module}{suffix}")
    known = next(vars(params)[name] for name in vars(params) if name.endswith(("ListParams", "ListRefundsParams")))
    general = stripe.RequestOptions.__annotations__.keys() | {"limit", "starting_after", "ending_before", "expand"}
    assert {*endpoint.filters, *endpoint.ranges, *endpoint.unsupported} == known.__annotations__.keys() - general


def alternatives(annotation: Any) -> list[Any]:
    inner = typing.get_args(annotation) if typing.get_origin(annotation) is typing.Union else ()
    return [part for item in inner for part in alternatives(item)] or [annotation]


def is_object_class(part: Any) -> bool:
    return isinstance(part, typing.ForwardRef) or (isinstance(part, type) and issubclass(part, stripe.StripeObject))


@pytest.mark.parametrize("type_name", SHAPES)
def test_what_can_be_expanded_is_what_stripes_package_says_is_expandable(type_name: str) -> None:
    """The package writes an expandable field as a union of a text and a class."""
    annotations = {
        name: alternatives(annotation) for name, annotation in get_object_class("V1", type_name).__annotations__.items()
    }
    expandable = {name for name, parts in annotations.items() if str in parts and any(map(is_object_class, parts))}
    ours = {name for name in SHAPES[type_name].fields if "." not in name}
    assert ours - {"verified_outputs"} == expandable


def test_paging_goes_through_every_object_once_newest_first(client: stripe.StripeClient) -> None:
    expected = [f"ch_{number}" for number in range(CHARGES)]
    assert [charge.id for charge in client.v1.charges.list({"limit": 100}).auto_paging_iter()] == expected
    assert ids(client.v1.charges.list()) == expected[:10]
    assert ids(client.v1.charges.list({"limit": 3, "ending_before": "ch_9"})) == ["ch_6", "ch_7", "ch_8"]
    backwards = client.v1.charges.list({"limit": 100, "ending_before": f"ch_{CHARGES - 1}"})
    assert [charge.id for charge in backwards.auto_paging_iter()] == expected[-2::-1]
    last = client.v1.charges.list({"limit": 5, "starting_after": f"ch_{CHARGES - 4}"})
    assert ids(last) == expected[-3:]
    assert last.has_more is False


def test_external_accounts_page_through_both_their_types(client: stripe.StripeClient) -> None:
    first = client.v1.accounts.external_accounts.list(SHOP, {"limit": 1})
    assert ids(first) == ["ba_1"]
    assert first.has_more
    assert [item.id for item in first.auto_paging_iter()] == ["ba_1", "card_1"]
    assert ids(client.v1.accounts.external_accounts.list(SHOP, {"limit": 1, "ending_before": "card_1"})) == ["ba_1"]
    assert ids(client.v1.accounts.external_accounts.list(SALON)) == ["ba_2"]


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ({"gte": TODAY - 7200}, ["ch_0", "ch_1", "ch_2"]),
        ({"gt": TODAY - 7200}, ["ch_0", "ch_1"]),
        ({"gt": TODAY - 5 * 3600, "lt": TODAY - 3600}, ["ch_2", "ch_3", "ch_4"]),
        ({"gte": TODAY - 5 * 3600, "lte": TODAY - 4 * 3600}, ["ch_4", "ch_5"]),
        (TODAY - 3 * 3600, ["ch_3"]),
        ({"gt": TODAY}, []),
        ({"gt": 5, "lt": 3}, []),
    ],
)
def test_created_takes_a_moment_or_a_range(client: stripe.StripeClient, created: Any, expected: list[str]) -> None:
    assert ids(client.v1.charges.list({"created": created})) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/charges?customer=cus_1", ["ch_0"]),
        ("/v1/charges?payment_intent=pi_0", ["ch_0"]),
        ("/v1/charges?transfer_group=group_0", ["ch_0"]),
        ("/v1/charges?customer=cus_2&limit=2&starting_after=ch_8", ["ch_9", "ch_10"]),
        ("/v1/charges?customer=cus_2&limit=2&ending_before=ch_2", ["ch_1"]),
        ("/v1/charges/ch_0/refunds", ["re_1"]),
        ("/v1/customers?email=second@example.com", ["cus_2"]),
        ("/v1/customers", ["cus_1", "cus_2"]),
        ("/v1/customers/cus_1/payment_methods?type=klarna", ["pm_2"]),
        ("/v1/payment_methods", ["pm_1", "pm_3", "pm_2"]),
        ("/v1/payment_methods?customer=cus_2", ["pm_3"]),
        ("/v1/payment_intents?customer=cus_gone", ["pi_1"]),
        ("/v1/refunds?charge=ch_9", ["re_2"]),
        ("/v1/disputes?charge=ch_0", ["dp_1", "dp_2"]),
        ("/v1/transfers?destination=acct_salon", ["tr_2"]),
        ("/v1/application_fees?charge=ch_1", []),
        ("/v1/balance_transactions?payout=po_1", ["txn_0"]),
        ("/v1/balance_transactions?type=refund", ["txn_1"]),
        ("/v1/balance_transactions?source=ch_0&currency=usd", ["txn_0"]),
        ("/v1/payouts?status=paid", ["po_1"]),
        (f"/v1/payouts?arrival_date[gt]={TODAY}", ["po_2"]),
        ("/v1/radar/early_fraud_warnings?charge=ch_0", ["issfr_1"]),
        ("/v1/identity/verification_sessions?status=requires_input", ["vs_2"]),
        ("/v1/accounts/acct_shop/persons", ["person_2", "person_1"]),
        ("/v1/events?type=charge.succeeded", ["evt_1"]),
        ("/v1/events?type=charge.*", ["evt_1", "evt_2"]),
        ("/v1/events?types[]=charge.refunded&types[]=customer.updated", ["evt_2", "evt_3"]),
        ("/v1/events?type=no.such", []),
    ],
)
def test_filters_pick_what_they_name(http: httpx.Client, path: str, expected: list[str]) -> None:
    answer = http.get(path).raise_for_status().json()
    assert [item["id"] for item in answer["data"]] == expected
    assert (answer["object"], answer["url"], answer["has_more"]) == (
        "list",
        path.partition("?")[0],
        "limit=2&st" in path,
    )


def test_expand_puts_objects_in_the_place_of_ids(client: stripe.StripeClient) -> None:
    page = client.v1.payment_intents.list({"expand": ["data.latest_charge.balance_transaction", "data.customer"]})
    by_id = {item.id: item.to_dict() for item in page.data}
    charge = published(WRITTEN["ch_0"]) | {"balance_transaction": published(WRITTEN["txn_0"])}
    assert by_id["pi_0"]["latest_charge"] == charge
    assert by_id["pi_0"]["customer"] == WRITTEN["cus_1"]
    assert by_id["pi_1"]["customer"] == {"id": "cus_gone", "object": "customer", "deleted": True}
    intent: Any = client.v1.payment_intents.retrieve("pi_1", {"expand": ["transfer_data.destination", "latest_charge"]})
    assert intent.transfer_data.destination.to_dict() == WRITTEN[SHOP]
    assert intent.latest_charge is None
    transfer: Any = client.v1.transfers.retrieve("tr_1", {"expand": ["destination_payment", "source_transaction"]})
    assert transfer.destination_payment.to_dict() == published(WRITTEN["py_1"])
    assert transfer.source_transaction.to_dict() == WRITTEN["ch_0"]


def test_expanded_refunds_of_a_charge_are_those_of_the_store(client: stripe.StripeClient) -> None:
    charge: Any = client.v1.charges.retrieve("ch_0", {"expand": ["refunds.data.payment_intent"]})
    assert [refund.to_dict() for refund in charge.refunds.data] == [
        WRITTEN["re_1"] | {"payment_intent": WRITTEN["pi_0"]}
    ]


def test_what_belongs_to_a_connected_account_is_seen_with_its_header_only(client: stripe.StripeClient) -> None:
    as_shop: Any = {"stripe_account": SHOP}
    assert ids(client.v1.payouts.list()) == ["po_2", "po_1"]
    assert ids(client.v1.payouts.list(options=as_shop)) == ["po_shop"]
    assert ids(client.v1.charges.list(options=as_shop)) == ["py_1"]
    assert ids(client.v1.events.list(options=as_shop)) == ["evt_shop"]
    assert ids(client.v1.transfers.list(options=as_shop)) == []
    assert client.v1.payouts.retrieve("po_shop", options=as_shop).to_dict() == published(WRITTEN["po_shop"])
    for object_id, options in (("po_shop", None), ("po_1", as_shop)):
        with pytest.raises(stripe.InvalidRequestError) as missing:
            client.v1.payouts.retrieve(object_id, options=options)
        assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    assert client.v1.accounts.retrieve_current(options=as_shop).id == SHOP
    assert keys(client.v1.accounts.retrieve_current().to_dict()) == keys(EXAMPLES["account"])
    assert ids(client.v1.accounts.persons.list(SHOP, options=as_shop)) == ["person_2", "person_1"]


@pytest.mark.parametrize("account", ["acct_unknown", "acct_gone"])
def test_an_account_that_is_not_there_is_refused_with_403(client: stripe.StripeClient, account: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: client.v1.charges.list(options={"stripe_account": account}),
        lambda: client.v1.accounts.retrieve(account),
        lambda: client.v1.accounts.persons.list(account),
        lambda: client.v1.accounts.retrieve(SALON, options={"stripe_account": SHOP}),
    ]
    for call in calls:
        with pytest.raises(stripe.PermissionError) as refused:
            call()
        assert refused.value.http_status == 403
        assert refused.value.error
        assert refused.value.error.code == "account_invalid"


@pytest.mark.parametrize("key", ["sk_test_wrong_key_entirely", None])
def test_a_wrong_or_missing_key_is_refused_with_401_and_not_repeated(double: StripeDouble, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    answer = httpx.get(f"{double.base_url}/v1/charges", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert key is None or key not in answer.text


def test_the_key_is_also_taken_as_the_user_of_basic_authentication(double: StripeDouble) -> None:
    assert httpx.get(f"{double.base_url}/v1/charges?limit=1", auth=(double.api_key, "")).status_code == 200


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("colour=red", "parameter_unknown", "colour"),
        ("created[after]=5", "parameter_unknown", "created[after]"),
        ("created[gt]=yesterday", "parameter_invalid_integer", "created[gt]"),
        ("limit=0", "parameter_invalid_integer", "limit"),
        ("limit=101", "parameter_invalid_integer", "limit"),
        ("limit=ten", "parameter_invalid_integer", "limit"),
        ("customer=", "parameter_invalid_empty", "customer"),
        ("customer=cus_unknown", "resource_missing", "customer"),
        ("starting_after=ch_unknown", "resource_missing", "starting_after"),
        ("starting_after=py_1", "resource_missing", "starting_after"),
        ("ending_before=ch_1&starting_after=ch_2", None, None),
        ("expand[]=customer", None, "expand"),
        ("expand[]=data.colour", None, "expand"),
        ("expand[]=data.customer.charge", None, "expand"),
        ("expand[]=data.payment_intent.latest_charge.payment_intent.latest_charge.customer", None, "expand"),
    ],
)
def test_a_parameter_that_stripe_refuses_is_refused_with_400(
    http: httpx.Client, query: str, code: str | None, param: str | None
) -> None:
    assert refusal(http.get(f"/v1/charges?{query}")) == (400, code, param)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/charges/ch_unknown",
        "/v1/customers/cus_unknown/payment_methods",
        "/v1/customers/cus_gone/payment_methods",
        "/v1/customers/cus_2/payment_methods/pm_1",
        "/v1/accounts/acct_salon/persons/person_1",
        "/v1/transfers/tr_2/reversals/trr_1",
        "/v1/transfers/tr_unknown/reversals",
        "/v1/events/evt_old",
    ],
)
def test_an_unknown_id_is_missing(http: httpx.Client, path: str) -> None:
    assert refusal(http.get(path)) == (404, "resource_missing", "id")


def test_a_retrieve_takes_no_parameter_but_expand(http: httpx.Client) -> None:
    assert refusal(http.get("/v1/charges/ch_0?limit=3")) == (400, "parameter_unknown", "limit")
    assert refusal(http.get("/v1/charges/ch_0?expand[]=colour")) == (400, None, "expand")


def test_an_unknown_path_is_404_and_another_api_version_400(http: httpx.Client) -> None:
    assert http.get("/v1/coupons").status_code == 404
    answer = http.get("/v1/charges", headers={"Stripe-Version": "2020-08-27"})
    assert answer.status_code == 400
    assert "2026-10-28.endive" in answer.text


def test_nothing_can_be_written(client: stripe.StripeClient, http: httpx.Client) -> None:
    with pytest.raises(stripe.APIError, match="read-only"):
        client.v1.refunds.create({"charge": "ch_0"})
    with pytest.raises(stripe.APIError, match="read-only"):
        client.v1.customers.delete("cus_1")
    assert http.get("/v1/customers/cus_1").json() == WRITTEN["cus_1"]


def test_a_deleted_customer_says_so_and_is_in_no_list(client: stripe.StripeClient) -> None:
    assert client.v1.customers.retrieve("cus_gone").to_dict() == WRITTEN["cus_gone"]
    assert "cus_gone" not in ids(client.v1.customers.list())


def test_events_reach_back_thirty_days(client: stripe.StripeClient) -> None:
    assert ids(client.v1.events.list()) == ["evt_1", "evt_2", "evt_3"]
    assert ids(client.v1.events.list({"created": {"gte": TODAY - 40 * DAY}})) == ["evt_1", "evt_2", "evt_3"]


def test_every_answer_carries_a_request_id_of_its_own_and_the_version(http: httpx.Client) -> None:
    answers = [http.get("/v1/charges?limit=1"), http.get("/v1/charges/ch_unknown")]
    assert len({answer.headers["Request-Id"] for answer in answers}) == 2
    assert {answer.headers["Stripe-Version"] for answer in answers} == {"2026-10-28.endive"}
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}

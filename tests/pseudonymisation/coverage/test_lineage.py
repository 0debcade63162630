"""Where columns come from: on SQL by hand, and on the project's own models as dbt compiles them."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pseudonymisation.coverage.lineage import Lineage, Origin, Statement, source_lineage, trace_models
from pseudonymisation.coverage.models import Model
from pseudonymisation.coverage.origins import PurposeLineage, trace_purpose
from pseudonymisation.policy.model import Policy

SOURCES = source_lineage({"person": ["id", "mail", "town"], "job": ["id", "person_id", "price"]})
PERSON = '"warehouse"."src"."person"'
JOB = '"warehouse"."src"."job"'


def origins(sql: str) -> dict[str, set[str]]:
    """`table.column` by output column."""
    return {name: {".".join(one) for one in found} for name, found in Statement(sql, SOURCES).columns.items()}


def model(sql: str, **changes: object) -> Model:
    plain: dict[str, object] = {
        "name": "made",
        "kind": "model",
        "purpose": "p",
        "relation": "marts.made",
        "materialized": "table",
        "is_public": True,
        "incremental_sql": None,
        "parents": frozenset({"src.person"}),
        "columns": ("a", "b"),
        "erasure": "rebuilt",
        "unique_key": None,
        "strategy": None,
        "hooks": (),
        "has_other_hooks": False,
    }
    return Model(**{**plain, "sql": sql, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"select * from {PERSON}", {"id": {"person.id"}, "mail": {"person.mail"}, "town": {"person.town"}}),
        (f"with one as (select id as key, mail from {PERSON}) select upper(mail) as m from one", {"m": {"person.mail"}}),
        (f"select case when town = 'x' then mail end as m from {PERSON}", {"m": {"person.town", "person.mail"}}),
        (f"select id from {PERSON} union all select person_id from {JOB}", {"id": {"person.id", "job.person_id"}}),
        (f"select sum(price) over (partition by person_id) as s from {JOB}", {"s": {"job.price", "job.person_id"}}),
        (f"select count(*) as n from {PERSON}", {"n": set()}),
        (f"select j.price, p.mail from {JOB} j left join {PERSON} p on p.id = j.person_id",
         {"price": {"job.price"}, "mail": {"person.mail"}}),
        (f"select (select max(mail) from {PERSON} p where p.id = j.person_id) as m from {JOB} j",
         {"m": {"person.mail", "person.id", "job.person_id"}}),
        (f"select exists (select 1 from {PERSON} p where p.id = j.person_id) as known from {JOB} j",
         {"known": {"person.id", "job.person_id"}}),
        (f"select to_json(struct_pack(who := mail)) as j from {PERSON}", {"j": {"person.mail"}}),
        (f"with recursive r (a, b) using key (a) as (select id, id from {PERSON} union "
         f"(select job.id, min(r.b) from r join {JOB} as job on job.person_id = r.a "
         "join recurring.r as k on k.a = job.id group by job.id)) select a, b from r",
         {"a": {"person.id", "job.id"}, "b": {"person.id", "job.id"}}),
    ],
)  # fmt: skip
def test_a_column_descends_from_what_its_value_is_computed_from(sql: str, expected: Mapping[str, set[str]]) -> None:
    assert origins(sql) == expected


@pytest.mark.parametrize(
    "sql", [f"select count(*) as a from {PERSON}", f"select 1 as a from {JOB} where exists (from {PERSON})"]
)
def test_a_model_descends_from_every_table_that_decides_which_rows_it_has(sql: str) -> None:
    assert "person" in Statement(sql, SOURCES).tables


@pytest.mark.parametrize(
    "sql",
    [
        "select this is no sql",
        "",
        f"select * exclude (id) from {PERSON}, nowhere.to_be_found",
        f"select missing as a from {PERSON}",
        "select unknown.a from unknown",
        f"update {PERSON} set mail = null",
    ],
)
def test_what_cannot_be_followed_descends_from_everything_that_its_model_reads(sql: str) -> None:
    found = trace_models([model(sql)], SOURCES)["marts.made"]
    assert found.unresolved
    assert set(found.columns) == {"a", "b", "*"}
    assert all(one == SOURCES["src.person"].origins for one in found.columns.values())
    assert found.tables == {"person"}


def test_a_program_descends_from_everything_that_it_reads() -> None:
    program = replace(model("def model(dbt, session): ...", parents=frozenset({"src.person"})), is_python=True)
    found = trace_models([program], SOURCES)["marts.made"]
    assert found.unresolved is None
    assert found.columns == {"a": SOURCES["src.person"].origins, "b": SOURCES["src.person"].origins}
    assert found.tables == {"person"}


def test_a_model_that_reads_another_purposes_tables_is_not_followed() -> None:
    found = trace_models([model(f"select mail as a from {PERSON}", parents=frozenset({"src.other"}))], SOURCES)
    assert found["marts.made"].unresolved


def test_an_incremental_model_descends_from_what_either_form_reads() -> None:
    again = f"select town as a from {PERSON} where id > (select max(a) from marts.made)"
    found = trace_models([model(f"select mail as a from {PERSON}", incremental_sql=again)], SOURCES)["marts.made"]
    assert found.columns == {"a": {Origin("person", "mail"), Origin("person", "town")}}


@pytest.fixture(scope="module")
def lineages(policy: Policy, models: list[Model]) -> dict[str, PurposeLineage]:
    return {purpose: trace_purpose(policy, models, purpose) for purpose in policy.purposes}


def test_every_model_of_every_purpose_can_be_followed(
    models: list[Model], lineages: Mapping[str, PurposeLineage]
) -> None:
    unresolved = {
        relation: lineage.unresolved
        for one in lineages.values()
        for relation, lineage in one.relations.items()
        if lineage.unresolved
    }
    assert unresolved == {}
    assert {one.purpose for one in models if one.kind == "model"} == set(lineages)


@pytest.mark.parametrize(
    ("purpose", "relation", "column", "source"),
    [
        ("fraud", "marts.fct_flag", "account_id", "app_db.account.account_id"),
        ("fraud", "marts.fct_flag", "account_id", "stripe.payment_method.card.fingerprint"),
        ("fraud", "marts.fct_flag", "reasons", "app_db.login.country"),
        ("fraud", "marts.dim_account_cluster", "cluster_id", "app_db.account.phone"),
        ("matching", "marts.fct_booking", "municipality", "app_db.service_request.postal_code"),
        ("matching", "marts.dim_provider", "shrunk_rating", "app_db.review.rating"),
        ("market_trends", "marts.agg_market_published", "price_median_nok", "app_db.booking.price_nok"),
        ("accounting", "marts.fct_payout", "explained_ore", "stripe.balance_transaction.net"),
    ],
)
def test_published_columns_lead_back_to_the_policys(
    lineages: Mapping[str, PurposeLineage], purpose: str, relation: str, column: str, source: str
) -> None:
    one = lineages[purpose]
    assert source in {str(found) for found in one.policy_columns(one.relations[relation].columns[column])}


def test_the_columns_found_are_those_that_each_mart_promises(
    models: list[Model], lineages: Mapping[str, PurposeLineage]
) -> None:
    marts = [one for one in models if one.is_public]
    assert len(marts) > 10
    for one in marts:
        lineage: Lineage = lineages[one.purpose].relations[one.relation]
        assert set(lineage.columns) == set(one.columns), one.name

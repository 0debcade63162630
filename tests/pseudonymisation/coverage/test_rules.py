"""Every table has a rule or a written exemption, and taking any one of them away is found out."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pseudonymisation.coverage.check import check_coverage, trace_all
from pseudonymisation.coverage.declared import Exemption, Exemptions, load_exemptions, read_exemptions
from pseudonymisation.coverage.model_rules import check_models
from pseudonymisation.coverage.models import Model
from pseudonymisation.coverage.origins import PurposeLineage
from pseudonymisation.coverage.source_rules import check_sources, staying_columns, title_of
from pseudonymisation.policy.checking import check_policy
from pseudonymisation.policy.model import Policy, Table
from pseudonymisation.policy.reading import PolicyError, load_policy, policy_folder, read_policy

POLICY = load_policy()
TABLES = list(POLICY.tables.values())
EXEMPTIONS = load_exemptions()


@pytest.fixture(scope="module")
def lineages(policy: Policy, models: list[Model]) -> list[PurposeLineage]:
    return trace_all(policy, models)


def test_everything_is_covered(policy: Policy, models: list[Model]) -> None:
    assert check_policy(policy) == []
    assert check_coverage(policy, EXEMPTIONS, models) == []


def with_table(table: Table) -> Policy:
    return replace(POLICY, tables={**POLICY.tables, (table.source, table.name): table})


def problems(policy: Policy, exemptions: Exemptions = EXEMPTIONS) -> list[str]:
    return check_policy(policy) + check_sources(policy, exemptions)


def subjects() -> list[Any]:
    return [pytest.param(table, path, id=f"{title_of(table)}.{path}") for table in TABLES for path in table.subjects]


@pytest.mark.parametrize(("table", "path"), subjects())
def test_a_subject_without_its_rule_is_found(table: Table, path: str) -> None:
    left = {name: rule for name, rule in table.subjects.items() if name != path}
    found = problems(with_table(replace(table, subjects=left)))
    assert any(f"{table.source}.yml: {table.name}" in problem for problem in found)


def detached_tables() -> list[Table]:
    """Tables from whose rows one person can be detached while the row stays for another."""
    return [t for t in TABLES if len(t.subjects) > 1 and set(t.subjects.values()) != {"delete"} and t.purposes]


def clearings() -> list[Any]:
    return [
        pytest.param(table, column.path, id=f"{title_of(table)}.{column.path}")
        for table in detached_tables()
        for column in table.columns.values()
        if column.about is not None and column.path not in table.subjects
        if any(len(table.subject_outputs(purpose)) > 1 for purpose in column.treatments)
    ]


@pytest.mark.parametrize(("table", "path"), clearings())
def test_a_column_that_nothing_clears_any_more_is_found(table: Table, path: str) -> None:
    changed = replace(table, columns={**table.columns, path: replace(table.columns[path], about=None)})
    assert any(path in problem and table.name in problem for problem in problems(with_table(changed)))


@pytest.mark.parametrize("table", detached_tables(), ids=title_of)
def test_a_new_column_of_a_row_that_stays_is_found_until_it_has_an_owner(table: Table) -> None:
    purpose = next(one for one in table.purposes if len(table.subject_outputs(one)) > 1)
    like = next(iter(table.columns[path] for path in table.subjects))
    treatment = replace(like.treatments.get(purpose) or next(iter(like.treatments.values())), name="code", output="new")
    column = replace(like, path="new", identifier=None, about=None, treatments={purpose: treatment})
    assert "new" in staying_columns(replace(table, columns={**table.columns, "new": column}), purpose)
    assert any(
        "new" in problem for problem in problems(with_table(replace(table, columns={**table.columns, "new": column})))
    )
    owned = replace(column, about=next(iter(table.subject_outputs(purpose))))
    assert problems(with_table(replace(table, columns={**table.columns, "new": owned}))) == []


@pytest.mark.parametrize("table", [t for t in TABLES if t.held_when], ids=title_of)
def test_a_hold_without_its_condition_is_found(table: Table) -> None:
    assert any(
        f"{table.name}: would be held" in problem for problem in problems(with_table(replace(table, held_when={})))
    )


def test_a_purpose_whose_law_is_taken_away_is_found() -> None:
    accounting = replace(POLICY.purposes["accounting"], held_by_law=None)
    assert problems(replace(POLICY, purposes={**POLICY.purposes, "accounting": accounting}))


def exemptions_less_one_name() -> list[Any]:
    return [
        pytest.param(part, table, name, id=f"{part}-{table}-{name}")
        for part in ("names_nobody", "stays", "held_whole")
        for table, exemption in getattr(EXEMPTIONS, part).items()
        for name in sorted(exemption.names)
    ]


@pytest.mark.parametrize(("part", "table", "name"), exemptions_less_one_name())
def test_an_exemption_that_is_taken_away_is_found(part: str, table: str, name: str) -> None:
    written: Mapping[str, Exemption] = getattr(EXEMPTIONS, part)
    less = {**written, table: replace(written[table], names=written[table].names - {name})}
    found = check_sources(POLICY, replace(EXEMPTIONS, **{part: less}))  # type: ignore[arg-type]
    assert any(name in problem and table.split(".")[1] in problem for problem in found)


@pytest.mark.parametrize("part", ["names_nobody", "stays", "held_whole"])
def test_an_exemption_that_nothing_needs_is_found(part: str) -> None:
    idle = Exemption(names=frozenset({"nothing"}), why="a reason that once was one")
    for table in ("app_db.login", "app_db.gone"):
        more = replace(EXEMPTIONS, **{part: {**getattr(EXEMPTIONS, part), table: idle}})
        assert any(table in problem for problem in check_sources(POLICY, more))


Edit = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("file", "edit", "said"),
    [
        ("app_db", lambda c: c["tables"]["login"]["subjects"].pop("account_id"), "app_db.yml: login"),
        ("app_db", lambda c: c["tables"]["message"]["columns"]["body"].pop("about"), "message: keeps body"),
        ("app_db", lambda c: c["tables"]["booking"].pop("held_when"), "booking: would be held"),
        ("events", lambda c: c["tables"]["event"]["subjects"].pop("anonymousId"), "events.yml: event"),
        ("purposes", lambda c: c["purposes"]["accounting"].pop("held_by_law"), "keeps a text as it is"),
        ("coverage", lambda c: c["names_nobody"].pop("stripe.dispute"), "stripe.yml: dispute"),
        ("coverage", lambda c: c["stays"].pop("app_db.review"), "app_db.yml: review"),
        ("coverage", lambda c: c["stays"]["app_db.booking"].update(why="because"), "coverage.yml: stays.app_db.booking"),
        ("coverage", lambda c: c.pop("pipelines_own"), "coverage.yml: pipelines_own"),
    ],
)  # fmt: skip
def test_the_files_themselves_are_what_is_checked(tmp_path: Path, file: str, edit: Edit, said: str) -> None:
    shutil.copytree(policy_folder(), tmp_path / "policy", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    path = tmp_path / "policy" / f"{file}.yml"
    content = yaml.safe_load(path.read_text())
    edit(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    assert any(said in problem for problem in _problems_of(tmp_path / "policy"))


def _problems_of(folder: Path) -> list[str]:
    try:
        return problems(read_policy(folder), read_exemptions(folder))
    except PolicyError as error:
        return error.problems


def test_a_model_whose_rule_is_taken_away_is_found(
    policy: Policy, models: list[Model], lineages: list[PurposeLineage]
) -> None:
    unfound = [
        one.name
        for one in models
        if not any("has no erasure rule" in p for p in check_models(policy, [replace(one, erasure=None)], lineages))
    ]
    assert unfound == []


def test_a_model_whose_rule_is_another_is_found(
    policy: Policy, models: list[Model], lineages: list[PurposeLineage]
) -> None:
    rules = ("computed", "rebuilt", "by_key", "forgotten", {"exempt": "so it is"}, ["computed"])
    unfound = [
        (one.name, rule)
        for one in models
        for rule in rules
        if rule != one.erasure and not check_models(policy, [replace(one, erasure=rule)], lineages)
    ]
    assert unfound == []


def test_a_sentence_says_whose_data_a_model_without_a_rule_has(
    policy: Policy, models: list[Model], lineages: list[PurposeLineage]
) -> None:
    flag = replace(next(one for one in models if one.name == "fct_flag"), erasure=None)
    (sentence,) = check_models(policy, [flag], lineages)
    assert sentence.startswith("dbt: fraud: marts.fct_flag: descends from app_db.account.account_id")


def test_an_exemption_with_a_reason_is_enough(
    policy: Policy, models: list[Model], lineages: list[PurposeLineage]
) -> None:
    rule = next(one for one in models if one.name == "dim_rule")
    exempt = replace(rule, erasure={"exempt": "The texts of the rules; nothing of a person's."})
    assert check_models(policy, [exempt], lineages) == []


def test_a_model_in_no_purposes_folder_is_found(
    policy: Policy, models: list[Model], lineages: list[PurposeLineage]
) -> None:
    stray = replace(models[-1], kind="model", purpose="advertising")
    assert any("folder of no purpose" in problem for problem in check_models(policy, [stray], lineages))

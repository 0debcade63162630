"""A policy that is not whole is refused, with the place of the fault."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pseudonymisation.policy.checking import check_policy, unclassified_columns
from pseudonymisation.policy.reading import PolicyError, load_policy, policy_folder, read_policy

Change = Callable[[dict[str, Any]], None]


def problems_after(tmp_path: Path, file: str, change: Change) -> str:
    folder = tmp_path / "policy"
    shutil.copytree(policy_folder(), folder)
    content = yaml.safe_load((folder / file).read_text())
    change(content)
    (folder / file).write_text(yaml.safe_dump(content, allow_unicode=True))
    try:
        return "\n".join(check_policy(read_policy(folder)))
    except PolicyError as error:
        return "\n".join(error.problems)


def test_the_projects_own_policy_is_whole() -> None:
    assert check_policy(load_policy()) == []


def column(table: str, name: str, **words: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        content["tables"][table]["columns"].setdefault(name, {}).update(words)

    return change


def purpose(name: str, **words: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        for word, value in words.items():
            if value is None:
                del content["purposes"][name][word]
            else:
                content["purposes"][name][word] = value

    return change


def without(table: str, name: str, word: str) -> Change:
    def change(content: dict[str, Any]) -> None:
        del content["tables"][table]["columns"][name][word]

    return change


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("app_db.yml", without("account", "email", "category"), "account.email: has no category"),
        ("app_db.yml", column("account", "email", category="user.soul"), "account.email: category 'user.soul'"),
        ("app_db.yml", column("account", "email", fraude="pseudonym"), "account.email: 'fraude' is neither a purpose"),
        ("app_db.yml", column("account", "email", fraud="hash"), "account.email: fraud: no treatment 'hash'"),
        ("app_db.yml", column("account", "full_name", fraud="keep"), "account.full_name: fraud: keeps a text as it is"),
        ("app_db.yml", column("account", "city", fraud="pseudonym"), "a pseudonym needs `identifier`"),
        (
            "app_db.yml",
            without("booking", "customer_id", "matching"),
            "booking: matching: gets request_id about customer_id",
        ),
        ("app_db.yml", without("login", "account_id", "fraud"), "login: fraud: does not get account_id"),
        ("app_db.yml", column("account", "phone", **{"as": "email"}), "2 columns would be called 'email'"),
        ("stripe.yml", column("charge", "metadata.*", fraud="code"), "a wildcard may only go nowhere"),
        ("purposes.yml", purpose("fraud", lawful_basis=None), "purposes.fraud.lawful_basis: Field required"),
        ("purposes.yml", purpose("fraud", retention_days=None), "purposes.fraud.retention_days: Field required"),
        ("purposes.yml", purpose("fraud", readers=[]), "purposes.fraud.readers"),
        ("purposes.yml", purpose("fraud", data_use="fun"), "fraud: data_use 'fun'"),
    ],
)
def test_a_policy_with_a_hole_is_refused(tmp_path: Path, file: str, change: Change, said: str) -> None:
    assert said in problems_after(tmp_path, file, change)


def test_a_column_that_nobody_has_classified_is_named() -> None:
    catalogue = [("account", "email"), ("account", "shoe_size"), ("wishlist", "id"), ("fraud_flag", "score")]
    assert unclassified_columns(load_policy(), catalogue) == ["account.shoe_size", "wishlist.id"]


def test_every_column_of_the_apps_schema_is_classified() -> None:
    import re

    schema = (Path(__file__).parents[3] / "demo" / "app_db.sql").read_text()
    tables = re.findall(r"create table app\.(\w+) \((.*?)\n\);", schema, re.S)
    columns = [
        (table, m)
        for table, body in tables
        for m in re.findall(r"^    (\w+) +(?!key)[a-z]", body, re.M)
        if m != "primary"
    ]
    assert len(columns) > 120
    assert unclassified_columns(load_policy(), columns) == []


def test_every_field_of_stripes_objects_is_classified() -> None:
    import json

    shapes = json.loads((Path(__file__).parents[3] / "demo" / "stripe_objects.json").read_text())
    policy = load_policy()

    def paths(value: Any, prefix: str) -> list[str]:
        if isinstance(value, dict) and value:
            return [p for key, inner in value.items() for p in paths(inner, f"{prefix}.{key}" if prefix else key)]
        return [prefix]

    def is_listed(path: str, listed: set[str]) -> bool:
        parts = path.split(".")
        return path in listed or any(".".join([*parts[:n], "*"]) in listed for n in range(1, len(parts) + 1))

    for table in policy.tables_from("stripe"):
        kind = next(name for name in shapes if name.replace(".", "_") == table.name)
        unlisted = [p for p in paths(shapes[kind], "") if not is_listed(p, set(table.columns))]
        assert unlisted == [], (table.name, unlisted)


def recipient(name: str, **words: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        content["recipients"][name].update(words)

    return change


def naming(**words: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        content["recipients"]["device_identification"]["known_as"]["device"].update(words)

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (recipient("device_identification", gets=["login.device_id", "account.email"]), "must never get user.contact"),
        (naming(table="account", named="national_id"), "must never get user.government_id"),
        (recipient("stripe", gets=["account.shoe_size"]), "account.shoe_size is no column"),
        (recipient("stripe", told_of=["erasure"]), "correction: must stand either under told_of"),
        (recipient("authorities", told_of=["erasure"]), "known_as does not say how it knows people"),
        (recipient("authorities", not_told={"erasure": "no"}), "not_told.erasure"),
        (recipient("stripe", lawful_basis={"article": "6"}), "lawful_basis.why"),
        (recipient("stripe", given_by="somebody"), "given_by"),
        (recipient("insurer", never=["user.shoes"]), "not in the fideslang taxonomy"),
        (naming(person="device_id"), "person must be a column that names an account"),
        (naming(when={"colour": "red"}), "login.colour is no column"),
        (naming(through={"table": "booking", "key": "booking_id"}), "not a column of both login and booking"),
    ],
)
def test_a_recipient_that_is_not_whole_is_refused(tmp_path: Path, change: Change, problem: str) -> None:
    assert problem in problems_after(tmp_path, "recipients.yml", change)


def test_without_recipients_the_policy_is_refused(tmp_path: Path) -> None:
    assert "recipients.yml: recipients" in problems_after(tmp_path, "recipients.yml", lambda c: c.pop("recipients"))

"""People planted with a value of their own in every personal text of the app, erased in one batch, and looked for everywhere.

`python -m benchmarks.residue 1000`: nothing of anybody may be found in anything under LEII_HOME, but for what the law makes
Leii hold about those who had bookings, and for the notices that recipients have yet to be handed.
"""

import json
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
from psycopg import sql

from benchmarks.running_world import DUE_WHEN_ASKED, RunningWorld, running_world
from demo.world.spec import world_spec
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.scan import identifiers_of, scan_home
from storage.contents import why_it_may_name_the_erased

NOT_PLANTED = ("city", "postal_code", "country", "purpose", "source", "kind", "channel", "survey", "answers", "ip")
"""Few values that everybody shares, or of a type that takes no text of our own."""

_CHOOSE = f"""
create table planted as
select account_id from app.account as account where {DUE_WHEN_ASKED} order by md5(account_id::text) limit %(people)s
"""

_ASK = """
insert into app.privacy_request
    (privacy_request_id, account_id, kind, channel, identity_verified_at, requested_at, updated_at)
select (select coalesce(max(privacy_request_id), 0) from app.privacy_request) + row_number() over (order by account_id),
    account_id, 'erasure', 'profile', now(), now(), now() from planted
"""

_ERASED = """
select planted.account_id::text from planted join app.privacy_request using (account_id)
join app.privacy_receipt using (privacy_request_id) where state = 'done'
"""

_OWN_DEVICES = """
select device_id from app.login where device_id is not null
group by device_id having bool_and(account_id::text = any(%s))
"""
"""Devices that only the erased have used: one that somebody else has too names nobody."""


def main(people: str = "1000", seed: str = "5") -> None:
    """Print how many people were erased, how many of their values were looked for, and what was found."""
    wanted = int(people)
    spec = world_spec(seed=int(seed), accounts=2 * wanted, bookings=3 * wanted, events=20 * wanted)
    with running_world(spec, rate_limit=0) as world:
        _plant(world, wanted)
        world.leii("run")
        with psycopg.connect(world.server.admin_dsn) as connection:
            connection.execute(_ASK)
        seconds = world.leii("run")
        values = sorted(set(_values(world)))
        began = time.perf_counter()
        report = scan_home(world.workspace, identifiers_of(values))
        scanning = time.perf_counter() - began
        with psycopg.connect(world.server.admin_dsn) as connection:
            erased = len(connection.execute(_ERASED).fetchall())
    outside = [one for one in report.findings if why_it_may_name_the_erased(one.file) is None]
    unsent = len({one.line for one in report.findings if one.file.startswith("notices/")})
    print(
        f"{erased} of {wanted} people erased in one batch, in a run of {seconds:.0f} s; {len(values):,} values of theirs"
    )
    print(f"  looked for in {report.files_read} files, {report.bytes_searched / 1e6:,.0f} MB, in {scanning:.0f} s")
    print(f"  values in notices that recipients have yet to be handed: {unsent}")
    print(f"  found outside these and what the law holds: {len(outside)}; not read: {len(report.unread)}")
    for one in outside[:20]:
        print(f"    {one.file}: {one.place}, {one.encoding}")
    if outside or report.unread or erased < wanted * 0.9:
        raise SystemExit("something is left, unread, or was not erased")


def _plant(world: RunningWorld, people: int) -> None:
    """Choose who will ask, and give every text of the policy's that is about them a value that nobody else has."""
    with psycopg.connect(world.server.admin_dsn) as connection:
        connection.execute(_CHOOSE, {"since": world.now - timedelta(days=31), "people": people})
        for table, subject, column in _texts():
            connection.execute(
                sql.SQL(
                    "update app.{table} set {column} = 'plantet' || md5({column} || random()::text) "
                    "where {subject} in (select account_id from planted) and {column} is not null"
                ).format(table=sql.Identifier(table), column=sql.Identifier(column), subject=sql.Identifier(subject))
            )


def _texts() -> Iterator[tuple[str, str, str]]:
    """(table, whose, column) of every personal text of the app's that can hold any words."""
    for table in load_policy().tables_from("app_db"):
        for column in table.columns.values():
            is_text = column.type == "text" and column.category.startswith("user") and not column.values
            is_free = column.identifier is None and column.path not in NOT_PLANTED
            whose = table.columns.get(column.about or "")
            if is_text and is_free and whose is not None and whose.identifier == "account":
                yield table.name, whose.path, column.path


def _values(world: RunningWorld) -> Iterator[str]:
    """Everything that names one of the erased: what was planted, their ids, and what Stripe and the events know them by."""
    with psycopg.connect(world.server.admin_dsn) as connection:
        erased = {row[0] for row in connection.execute(_ERASED).fetchall()}
        yield from erased
        columns = [*_texts(), ("account", "account_id", "stripe_customer_id"), ("account", "account_id", "email"),
                   ("account", "account_id", "phone"), ("account", "account_id", "national_id"),
                   ("provider_profile", "account_id", "stripe_account_id")]  # fmt: skip
        for table, subject, column in columns:
            query = sql.SQL("select {column} from app.{table} where {subject}::text = any(%s) and {column} is not null")
            names = {"table": table, "subject": subject, "column": column}
            rows = connection.execute(
                query.format(**{key: sql.Identifier(name) for key, name in names.items()}), [sorted(erased)]
            ).fetchall()
            yield from (str(row[0]) for row in rows)
        devices = connection.execute(_OWN_DEVICES, [sorted(erased)]).fetchall()
        yield from (row[0] for row in devices)
        both = connection.execute("select account_id::text, stripe_customer_id from app.account").fetchall()
    customers = {customer for account, customer in both if account in erased}
    with (world.folder / "world" / "stripe" / "payment_method.jsonl").open() as lines:
        for method in map(json.loads, lines):
            if method.get("customer") in customers:
                yield method["id"]


if __name__ == "__main__":
    main(*sys.argv[1:])

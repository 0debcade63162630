"""Every trace that people could have left under LEII_HOME: by what each purpose called them, and by their identifiers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.running_world import RunningWorld, run_of
from pseudonymisation.scan import identifiers_of, scan_home
from storage import Workspace, attached
from storage.contents import why_it_may_name_the_erased
from tests.integration.comparing import tables_of
from tests.integration.histories import event_lines
from tests.integration.known_people import KnownPeople, alias_hash, rows_of
from tests.integration.passes import app

# What nobody else in the app has, of the people asked for.
_OWN_VALUES = """
with value as (
    select account_id, unnest(array[account_id::text, email, phone, national_id, address_line, full_name,
        stripe_customer_id]) as value from app.account
    union all
    select account_id, unnest(array[bank_account, stripe_account_id, display_name, bio]) from app.provider_profile
    union all select account_id, unnest(array[device_id, host(ip)]) from app.login
    union all select sender_id, body from app.message
    union all select customer_id, unnest(array[description, address_line]) from app.service_request
    union all select customer_id, stripe_payment_intent_id from app.booking where provider_id = any(%(people)s)
)
select distinct value from value
where length(value) >= 8 and value ~ '[^0-9]|.{9}' and value !~ '\n'
group by value having bool_and(account_id = any(%(people)s))
"""


@dataclass(frozen=True, kw_only=True)
class People:
    """Some accounts as they were known before their erasure. `names`: by purpose, pseudonyms and ids of flags, as text."""

    account_ids: tuple[str, ...]
    names: Mapping[str, frozenset[str]]
    secrets: frozenset[bytes]
    identifiers: tuple[str, ...]


def people_of(world: RunningWorld, account_ids: Sequence[str]) -> People:
    """What is known about these accounts now, cookies that are theirs alone included."""
    run, known = run_of(world), KnownPeople()
    known.learn(run.workspace)
    ring = run.workspace.keyring
    aliases = {
        alias for one in account_ids for alias in known.aliases_of(alias_hash(ring, "account", one)) if alias in known.aliases
    }  # fmt: skip
    flags = known.flag_ids(ring, aliases)
    names = {
        purpose: frozenset({str(one) for one in known.pseudonyms(ring, purpose, aliases)} | flags)
        for purpose in run.purposes
    }
    values = [row[0] for row in app(world, _OWN_VALUES, {"people": list(account_ids)})]
    cookies = [one for one in _cookies(world) if alias_hash(ring, "anonymous", one) in aliases]
    return People(
        account_ids=tuple(account_ids),
        names=names,
        secrets=frozenset(known.secrets[known.aliases[alias][1]] for alias in aliases),
        identifiers=tuple(values + cookies),
    )


def traces_of(world: RunningWorld, people: People, identifiers: Collection[str] = ()) -> list[str]:
    """Where something is left of these people, or of more identifiers: one sentence a place."""
    run = run_of(world)
    found = []
    for purpose in run.purposes:
        for layer, path in files_of(run.workspace, purpose):
            key = run.workspace.keyring.purpose_key(purpose, layer)
            found += [
                f"{layer}/{purpose}: {rows} rows of {table}"
                for table, rows in rows_naming(run.workspace, path, key, people.names[purpose]).items()
            ]
    secrets = {row[0] for row in rows_of(run.workspace, "SELECT secret FROM vault.subject")}
    if secrets & people.secrets:
        found.append(f"vault: {len(secrets & people.secrets)} secrets")
    if batches := list(run.home.landing.glob("*.parquet")):
        found.append(f"landing: {len(batches)} batches")
    report = scan_home(run.workspace, identifiers_of([*people.identifiers, *identifiers]))
    found += [f"{one.file}: {one.place}" for one in report.findings if not why_it_may_name_the_erased(one.file)]
    found += [f"{one.file}: not read, {one.reason}" for one in report.unread]
    flags = "select count(*) from app.fraud_flag where status = 'active' and account_id = any(%s::uuid[])"
    [(standing,)] = app(world, flags, [list(people.account_ids)])
    return found + ([f"app.fraud_flag: {standing} flags"] if standing else [])


def files_of(workspace: Workspace, purpose: str) -> list[tuple[str, Path]]:
    """The purpose's warehouse and every version of its copy, each with its layer."""
    copies = [path for path in workspace.home.published_folder(purpose).glob("*.duckdb") if not path.is_symlink()]
    return [("warehouse", workspace.home.warehouse_file(purpose)), *(("published", path) for path in sorted(copies))]


def rows_naming(workspace: Workspace, path: Path, key: bytes, names: Collection[str]) -> dict[str, int]:
    """How many rows of each table hold one of these names in any column."""
    with workspace.connect() as con, attached(con, path, "one", key, read_only=True):
        con.execute("CREATE TEMP TABLE looked_for AS SELECT unnest(?) AS name", [sorted(names)])
        counts = {
            table: con.execute(
                f"SELECT count(*) FROM one.{table} AS row WHERE list_has_any("
                "regexp_extract_all(CAST(row AS VARCHAR), 'flag_[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'), "
                "(SELECT list(name) FROM looked_for))"
            ).fetchone()
            for table in tables_of(con, "one")
        }
    return {table: row[0] for table, row in counts.items() if row and row[0]}


def _cookies(world: RunningWorld) -> set[str]:
    return {str(event["anonymousId"]) for event in event_lines(world) if event.get("anonymousId")}

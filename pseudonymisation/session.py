"""A DuckDB session that can treat rows: keys as session variables, never as text of a statement."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from pseudonymisation.registries.lookups import create_lookups
from storage import LeiiError, Workspace

POSTAL_CODES = Path(__file__).parents[1] / "dbt_project" / "seeds" / "postal_codes_2024_04_11.csv"
"""Posten's register of postal codes as of the date in its name: postal_code, place, municipality."""

_READ_POSTAL_CODES = """
    CREATE OR REPLACE TEMP TABLE postal_code_place AS
    FROM read_csv(?, all_varchar = true, header = true, delim = ',', quote = '"')
"""
"""How it is written is told: to find that out takes longer than to read it."""

_BLOCK = 64

_HMAC = """
    CREATE OR REPLACE TEMP MACRO {name}(message) AS
        CAST(sha256(getvariable('{name}_outer') || unhex(sha256(getvariable('{name}_inner') || message)))[1:32] AS UUID)
"""

_LAYER = "{hmac}(encode(CAST({message} AS VARCHAR)))"
"""What is keyed under a key before it is keyed under the next: the UUID's text."""

_MACROS = (
    "CREATE OR REPLACE TEMP MACRO named_message(kind, value) AS encode(kind || chr(31) || value)",
    "CREATE OR REPLACE TEMP MACRO keyed(kind, value) AS purpose_hmac(named_message(kind, value))",
    "CREATE OR REPLACE TEMP MACRO alias_hash(kind, value) AS alias_hmac(named_message(kind, value))",
    # As dbt's fraud_flag_id: what the fraud purpose calls the flag of somebody's pseudonym.
    "CREATE OR REPLACE TEMP MACRO fraud_flag_id(pseudonym) AS 'flag_' || md5(CAST(pseudonym AS VARCHAR) || ':flag')",
    # What the app calls that flag, which no rotation of the purpose's key changes.
    "CREATE OR REPLACE TEMP MACRO app_flag_id(secret) AS fraud_flag_id(purpose_hmac_first(secret))",
    """CREATE OR REPLACE TEMP MACRO network_of(ip) AS CASE
        WHEN regexp_matches(ip, '^[0-9]{1,3}([.][0-9]{1,3}){3}(/32)?$') THEN regexp_extract(ip, '^([0-9]+[.][0-9]+[.][0-9]+)', 1)
        WHEN regexp_matches(ip, '^[0-9A-Fa-f:]+(/128)?$') AND ip LIKE '%:%:%' THEN
            array_to_string(list_transform(
                list_concat(
                    list_filter(string_split(string_split(replace(lower(ip), '/128', ''), '::')[1], ':'), part -> part <> ''),
                    ['0', '0', '0']
                )[1:3],
                part -> coalesce(nullif(ltrim(part, '0'), ''), '0')
            ), ':')
    END""",
    """CREATE OR REPLACE TEMP MACRO plain_text(text) AS
        nullif(trim(regexp_replace(lower(text), '[^a-zæøå]+', ' ', 'g')), '')""",
    """CREATE OR REPLACE TEMP MACRO municipality_of(code) AS
        (SELECT any_value(place.municipality) FROM postal_code_place AS place WHERE place.postal_code = code)""",
)


def prepare_session(con: duckdb.DuckDBPyConnection, workspace: Workspace, purpose: str | None = None) -> None:
    """Make the macros that treatments and the vault use. Without a purpose there is no `keyed` to call.

    A session may be prepared again for another purpose.
    """
    set_hmac_keys(con, "alias_hmac", workspace.keyring.alias_keys())
    if purpose is not None:
        set_hmac_keys(con, "purpose_hmac", workspace.keyring.pseudonym_keys(purpose))
    else:
        for macro in ("purpose_hmac", "purpose_hmac_first"):
            con.execute(f"CREATE OR REPLACE TEMP MACRO {macro}(message) AS error('this session has no purpose')")
    if not POSTAL_CODES.exists():
        raise LeiiError(f"no register of postal codes at {POSTAL_CODES}: it belongs to the repository")
    con.execute(_READ_POSTAL_CODES, [str(POSTAL_CODES)])
    for macro in _MACROS:
        con.execute(macro)
    set_hmac_keys(con, "registry_hmac", [workspace.keyring.zone_key("landing", "registries")])
    create_lookups(con, workspace)


def set_hmac_keys(con: duckdb.DuckDBPyConnection, name: str, keys: Sequence[bytes]) -> None:
    """Make macro `name(message)`, which keys a message under the first key, the outcome under the second and so on, and
    `<name>_first(message)`, which stops after the first."""
    set_hmac_key(con, f"{name}_first", keys[0])
    nested = f"{name}_first(message)"
    for layer, key in enumerate(keys[1:], start=2):
        set_hmac_key(con, f"{name}_{layer}", key)
        nested = _LAYER.format(hmac=f"{name}_{layer}", message=nested)
    con.execute(f"CREATE OR REPLACE TEMP MACRO {name}(message) AS {nested}")


def set_next_layer(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Make macro `next_layer(keyed)`: what a keyed UUID becomes when this key is rotated in as the outermost."""
    set_hmac_key(con, "next_layer_hmac", key)
    con.execute(
        f"CREATE OR REPLACE TEMP MACRO next_layer(keyed) AS {_LAYER.format(hmac='next_layer_hmac', message='keyed')}"
    )


def set_hmac_key(con: duckdb.DuckDBPyConnection, name: str, key: bytes) -> None:
    """Make macro `name(message)`: the first 128 bits of HMAC-SHA-256 (RFC 2104) under the key, as a UUID."""
    padded = key.ljust(_BLOCK, b"\0")
    con.execute(f"SET VARIABLE {name}_inner = ?::BLOB", [bytes(byte ^ 0x36 for byte in padded)])
    con.execute(f"SET VARIABLE {name}_outer = ?::BLOB", [bytes(byte ^ 0x5C for byte in padded)])
    con.execute(_HMAC.format(name=name))

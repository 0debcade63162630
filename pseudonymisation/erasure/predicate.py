"""The one predicate that decides whether a value names an erased person: it deletes, it holds, and it verifies."""

from collections.abc import Callable, Mapping, Sequence

import duckdb

_TOKEN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|flag_[0-9a-f]{32}"
"""What a pseudonym or a flag's id looks like inside a text."""
_SHORTEST = 36
"""Characters of a text with one of these in it: most texts are shorter, and not looked into."""


def load_erased(con: duckdb.DuckDBPyConnection, purpose: str, cases: Sequence[str]) -> None:
    """Make temp table `erased` (case_id, pseudonym text, person UUID): by what the purpose knows the people of these cases.

    A flag's id is there as a pseudonym whose person is null. The vault must be attached.
    """
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE erased AS
        SELECT case_id, pseudonym, TRY_CAST(pseudonym AS UUID) AS person FROM vault.erasing_pseudonym
        WHERE purpose = ? AND CAST(case_id AS VARCHAR) IN (SELECT unnest(?))
        """,
        [purpose, list(cases)],
    )


def names_sql(aliases: str) -> str:
    """SQL for (case_id, pseudonym text): what the purpose calls the people of `aliases` (case_id, subject_id), and their flags.

    The session is prepared for the purpose and has the vault attached.
    """
    return f"""
        WITH person AS (
            SELECT DISTINCT own.case_id, CAST(purpose_hmac(subject.secret) AS VARCHAR) AS pseudonym
            FROM {aliases} AS own JOIN vault.subject AS subject USING (subject_id)
        )
        SELECT case_id, pseudonym FROM person
        UNION ALL SELECT case_id, fraud_flag_id(pseudonym) FROM person
    """


def erased_in(column: str, type_: str) -> str:
    """SQL that is true if the column's value names somebody in `erased`; never null.

    A text names somebody if a pseudonym or a flag's id stands anywhere in it.
    """
    if type_ == "UUID":
        return f"coalesce({column} IN (SELECT person FROM erased WHERE person IS NOT NULL), FALSE)"
    return f"coalesce(list_has_any({_tokens(column)}, (SELECT list(pseudonym) FROM erased)), FALSE)"


def cases_named(relation: str, column: str, type_: str) -> str:
    """SQL for the distinct cases (text) of the people whom the column names, by the rule of `erased_in`."""
    if type_ == "UUID":
        named = f"SELECT CAST({column} AS VARCHAR) AS name FROM {relation}"
    else:
        named = f"SELECT unnest({_tokens(column)}) AS name FROM {relation} WHERE length(CAST({column} AS VARCHAR)) >= {_SHORTEST}"
    return (
        f"SELECT DISTINCT CAST(case_id AS VARCHAR) FROM erased JOIN ({named}) AS named ON named.name = erased.pseudonym"
    )


def _tokens(column: str) -> str:
    return f"regexp_extract_all(lower(CAST({column} AS VARCHAR)), '{_TOKEN}')"


def erased_by(columns: Mapping[str, str]) -> Callable[[str], str]:
    """The predicate over the columns of one table, given their types by name."""
    return lambda column: erased_in(column, columns[column])

"""The one predicate that decides whether a value names an erased person: it deletes, it holds, and it verifies."""


def erased_in(column: str) -> str:
    """SQL that is true if the column names somebody in temp table `erased` (case_id, pseudonym text); never null."""
    return f"coalesce(CAST({column} AS VARCHAR) IN (SELECT pseudonym FROM erased), FALSE)"

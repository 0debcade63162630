"""What the pages ask of a published copy. Functions of a reader and filters that give a Polars frame; no layout."""


def sums(*columns: str) -> str:
    """Each column's sum under its own name, as a plain integer (DuckDB widens sums to HUGEINT)."""
    return ", ".join(f"CAST(sum({column}) AS BIGINT) AS {column}" for column in columns)

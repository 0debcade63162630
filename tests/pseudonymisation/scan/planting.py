"""Where and how something may be left: a `Plant` puts a value of its own into a home, and says where it must be found."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import duckdb

from storage import Workspace, attach

Write = Callable[[Path, str, Workspace], None]
Key = Callable[[Workspace], bytes]


@dataclass(frozen=True, kw_only=True)
class Plant:
    """A value in `file` (relative to LEII_HOME), to be found at `place` in `encoding`; `{line}` there is its line.

    `write` puts it there. In a DuckDB file `statements` do, with `{v}` for the value; the file is the database `d`, and
    `key` opens it.
    """

    file: str
    place: str
    write: Write | None = None
    statements: tuple[str, ...] = ()
    key: Key | None = None
    encoding: str = "UTF-8"
    value: Callable[[int], str] = lambda number: email(number)

    @property
    def name(self) -> str:
        return f"{self.file}: {self.place}, {self.encoding}"


def plant_all(plants: Sequence[Plant], workspace: Workspace, first: int) -> list[str]:
    """Every plant with a value of its own; returns the values, in the order of the plants."""
    values = [plant.value(first + number) for number, plant in enumerate(plants)]
    with workspace.connect() as con:
        for file, group in groupby(zip(plants, values, strict=True), lambda pair: pair[0].file):
            path = workspace.home.root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            pairs = list(group)
            if pairs[0][0].write is not None:
                for plant, value in pairs:
                    assert plant.write is not None
                    plant.write(path, value, workspace)
            else:
                _fill_database(con, path, pairs, workspace)
    return values


def _fill_database(
    con: duckdb.DuckDBPyConnection, path: Path, pairs: list[tuple[Plant, str]], workspace: Workspace
) -> None:
    key = pairs[0][0].key
    if key is None:
        con.execute(f"ATTACH '{path}' AS d")
    else:
        attach(con, path, "d", key(workspace))
    for plant, value in pairs:
        for statement in plant.statements:
            con.execute(statement.replace("{v}", value))
    con.execute("DETACH d")


def email(number: int) -> str:
    """Unlike every other in its first eight letters, which is what DuckDB's statistics keep."""
    return f"k{number}.planted@example{number}.no"


def name(number: int) -> str:
    """With letters that are written in several ways; letters only, so that no number decides."""
    return f"Åse Bjørnæs {''.join(chr(ord('a') + int(digit)) for digit in str(number))}by"


def digits(number: int) -> str:
    """Eleven digits, as a national id or a bank account has."""
    return str(31_129_000_000 + number * 7_919)


def zero_digits(number: int) -> str:
    return f"0{digits(number)[1:]}"


def phone(number: int) -> str:
    """Without the country's code, as nobody writes it into a file."""
    return str(91_000_000 + number * 7_919)


def uuid_text(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


def stripe_id(number: int) -> str:
    return f"cus_QhN{number}xYz{number}"

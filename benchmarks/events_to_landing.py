"""Event files to landing, against two bare reads of the same lines to Parquet and against dlt's reader of JSON lines.

One bare read takes the lines as text; the other parses them, into typed columns of the fields that this project keeps, as
whoever reads JSON must. Only this project's way checks every line, reduces it to the fields that some purpose gets, applies
consent, finds doubles and encrypts. Aims: one and a half times dlt's rate, two thirds of the bare read's, memory that does
not grow with the input.
"""

import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import duckdb
from dlt.sources.filesystem import filesystem, read_jsonl

from benchmarks.candidates import new_dlt_pipeline, new_workspace
from benchmarks.measure import compare, peak_mib
from demo.world.generate import generate_world
from demo.world.spec import world_spec
from ingestion.event_fields import COUNTRY, ENVELOPE
from ingestion.events import pull_events
from ingestion.landing import open_landing
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.policy.source_tables import event_fields

LINES = 1_000_000
FILE_LINES = 100_000
READ_LINES = (
    "read_csv('{files}', columns = {{'line': 'VARCHAR'}}, header = false, delim = '\\x01', quote = '', escape = '', "
    "auto_detect = false, max_line_size = 10000000, ignore_errors = true)"
)
COLUMN_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "list": "JSON[]"}
"""DuckDB's types of the kept fields; of all others it is VARCHAR."""


def main(lines: int = LINES) -> None:
    """Print the four rates, the three ratios, and this project's memory for a tenth of the lines and for all."""
    folder = Path(tempfile.mkdtemp(prefix="leii-bench-"))
    try:
        _write_lines(folder, lines)
        _compare(folder, lines)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_lines(folder: Path, lines: int) -> None:
    """The small world's good lines over and over, each with a message id of its own; `tenth` has a tenth of the files."""
    generate_world(folder / "world", world_spec(size="small"))
    source = READ_LINES.format(files=folder / "world/events/*/*.gz")
    files = max(lines // FILE_LINES, 1)
    with duckdb.connect(config={"temp_directory": str(folder / "spilled")}) as con:
        con.execute(
            f"CREATE TABLE original AS SELECT line, row_number() OVER () AS n FROM {source} WHERE json_valid(line)"
        )
        originals = con.execute("SELECT count(*) FROM original").fetchone()
        assert originals is not None
        for number in range(files):
            for name in ("all", "tenth") if number < max(files // 10, 1) else ("all",):
                target = folder / name / "dt=2026-11-01" / f"part-{number:05}.jsonl.gz"
                target.parent.mkdir(parents=True, exist_ok=True)
                con.execute(
                    'COPY (SELECT regexp_replace(line, \'"messageId":"[^"]*"\', '
                    f"'\"messageId\":\"bench-{number}-' || i || '\"') FROM range({min(FILE_LINES, lines)}) AS t (i) "
                    f"JOIN original ON n = 1 + (i + {number}) % {originals[0]}) "
                    f"TO '{target}' (FORMAT csv, HEADER false, DELIMITER '\\x01', QUOTE '', ESCAPE '', COMPRESSION gzip)"
                )


def _compare(folder: Path, lines: int) -> None:
    candidates = {
        "leii, encrypted landing": lambda: _leii(folder / "all", folder / "home"),
        "bare read as text": lambda: _bare(READ_LINES, folder / "all", folder / "bare.parquet"),
        "bare read as typed columns": lambda: _bare(_read_typed(), folder / "all", folder / "typed.parquet"),
        "dlt filesystem, read_jsonl": lambda: _dlt(folder / "all", folder / "dlt"),
    }
    result = compare(lines, candidates, rounds=1 if lines > LINES else 3)
    print(f"events, {lines:,} gzipped lines")
    print("\n".join(result.lines()))
    for other, aim in (
        ("bare read as text", 0.67),
        ("bare read as typed columns", 0.67),
        ("dlt filesystem, read_jsonl", 1.5),
    ):
        print(f"  against {other}: {result.ratio('leii, encrypted landing', other):.2f} (aim: at least {aim:.2f})")
    few, all_ = (peak_mib(partial(_leii, folder / name, folder / "home")) for name in ("tenth", "all"))
    print(f"  peak memory: {few:,.0f} MiB for a tenth of the lines, {all_:,.0f} MiB for all")


def _leii(root: Path, home_folder: Path) -> None:
    workspace, policy = new_workspace(home_folder)
    with open_landing(workspace) as landing:
        pull = pull_events(workspace, landing, root=str(root), wanted=event_fields(policy))
    assert pull.landed > 0, "nothing was landed"


def _bare(read: str, root: Path, target: Path) -> None:
    with duckdb.connect() as con:
        con.execute(f"COPY (FROM {read.format(files=root / '*/*.gz')}) TO '{target}' (FORMAT parquet)")


def _read_typed() -> str:
    """What to select the kept fields from, nested as they are in the lines."""
    types = dict.fromkeys(ENVELOPE, "VARCHAR") | {
        field.path: COLUMN_TYPES.get(field.type, "VARCHAR")
        for field in event_fields(load_policy()).kept
        if field.path != COUNTRY
    }
    columns = ", ".join(f"{name}: '{column}'" for name, column in _nested(types).items())
    return (
        f"read_json('{{files}}', format = 'newline_delimited', columns = {{{{{columns}}}}}, "
        "maximum_object_size = 10000000, ignore_errors = true)"
    )


def _nested(types: Mapping[str, str]) -> dict[str, str]:
    """Types by the name at the top, of types by dotted path."""
    below: dict[str, dict[str, str]] = {}
    for path, column in types.items():
        name, _, rest = path.partition(".")
        below.setdefault(name, {})[rest] = column
    return {name: inner[""] if "" in inner else _struct(_nested(inner)) for name, inner in below.items()}


def _struct(fields: Mapping[str, str]) -> str:
    return f"STRUCT({', '.join(f'{name} {column}' for name, column in fields.items())})"


def _dlt(root: Path, folder: Path) -> None:
    pipeline = new_dlt_pipeline("events", folder)
    found = filesystem(bucket_url=root.as_uri(), file_glob="**/*.jsonl.gz") | read_jsonl(chunksize=10_000)
    found = found.with_name("event")
    found.max_table_nesting = 0  # to flatten what is nested is no part of reading
    pipeline.run(found, loader_file_format="parquet")


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))

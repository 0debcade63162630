"""What engines spill lies apart, is gone with them, and does not outlive a process that was killed."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from storage import Home, connect, exclusive_run
from storage.contents import unknown_files
from storage.spilling import spill_folder

SPILLS = """
    SELECT count(*), sum(position), count(DISTINCT value) FROM (
        SELECT value, row_number() OVER (ORDER BY hash(value)) AS position FROM range(2_000_000) AS r(value)
    )
"""


def test_two_sessions_that_spill_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    def answer() -> tuple[int, ...]:
        with connect(home) as con:
            con.execute("SET memory_limit = '60MB'")
            con.execute("SET threads = 1")
            found = [con.execute(SPILLS).fetchone() for _ in range(3)]
            folders.extend(path.name for path in home.temporary.iterdir())
        assert len(set(found)) == 1
        assert found[0] is not None
        return found[0]

    home, folders = Home(tmp_path), list[str]()
    with ThreadPoolExecutor(2) as pool:
        answers = [one.result() for one in [pool.submit(answer), pool.submit(answer)]]
    assert answers == [(2_000_000, 2_000_001 * 1_000_000, 2_000_000)] * 2
    assert len(set(folders)) == 2  # they did spill


def test_what_a_killed_process_has_spilled_goes_with_the_next_run_and_nothing_else(tmp_path: Path) -> None:
    home = Home(tmp_path)
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    left, used = home.temporary / f"{int(dead.stdout)}-{uuid4().hex}", Path(spill_folder(home))
    for folder in (left, used):
        folder.mkdir()
        (folder / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"spilled")
    with exclusive_run(home):
        assert not left.exists()
        assert used.exists()
        assert unknown_files(home, ()) == []
    assert str(used).startswith(str(home.temporary / f"{os.getpid()}-"))

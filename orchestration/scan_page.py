"""What a residue scan found, as a page: by file and place, with the lines of the identifiers and never their values."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from orchestration.console import ERRORS
from orchestration.settings import load_settings
from pseudonymisation.scan import ScanReport, read_identifiers, scan_home
from pseudonymisation.scan.home import Progress as OnBytes
from storage import LeiiError, exclusive_run
from storage.contents import why_it_may_name_the_erased

_SHOWN_RUNS = 8


def run_scan(file: str, *, wait_seconds: float, quiet: bool) -> ScanReport:
    """Scan LEII_HOME for the identifiers of a file, or of standard input for `-`, while nothing else runs there."""
    workspace = load_settings().workspace_there()
    home = workspace.home
    identifiers = read_identifiers(sys.stdin.buffer if file == "-" else Path(file))
    with exclusive_run(home, wait_seconds=wait_seconds), _progress(home.root, quiet=quiet) as on_bytes:
        return scan_home(workspace, identifiers, on_bytes)


def print_scan(console: Any, report: ScanReport) -> None:
    """Findings, what was not read, and a closing line."""
    for (name, place, encoding), group in groupby(report.findings, lambda f: (f.file, f.place, f.encoding)):
        findings = list(group)
        times = sum(finding.count for finding in findings)
        console.print(f"[red]found[/red]     {_plain(name)}", soft_wrap=True)
        console.print(
            f"          {_plain(place)}: {encoding}, {_lines([finding.line for finding in findings])}, "
            f"{'once' if times == 1 else f'{times:,} times'}",
            soft_wrap=True,
        )
        if (why := why_it_may_name_the_erased(name)) is not None:
            console.print(f"          may be there of somebody erased: {why}", soft_wrap=True)
    for unread in report.unread:
        console.print(f"[yellow]not read[/yellow]  {_plain(unread.file)}: {_plain(unread.reason)}", soft_wrap=True)
    for file in sorted({one.file for one in report.uncompacted}):
        what = ", ".join(one.reason for one in report.uncompacted if one.file == file)
        console.print(
            f"[yellow]deleted[/yellow]   {_plain(file)}: {_plain(what)}; searched as raw bytes only, which compression hides",
            soft_wrap=True,
        )
    for name in report.left_out:
        console.print(f"left out  {_plain(name)}: it holds keys", soft_wrap=True)
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.kinds.items())
    console.print(
        f"{report.identifiers:,} identifiers looked for in {sum(report.kinds.values()):,} files "
        f"({report.bytes_searched / 1e6:,.1f} MB): {kinds}",
        soft_wrap=True,
    )
    if report.is_clean:
        files = len({one.file for one in report.uncompacted})
        doubt = f"; deleted rows in {files} files may hold more until those are compacted" if files else ""
        console.print(f"[green]nothing of them was found[/green], and every file was read{doubt}", soft_wrap=True)


def require_clean(report: ScanReport) -> None:
    """Raises LeiiError when something was found or could not be read, in different words."""
    found = len({finding.line for finding in report.findings})
    places = len({(finding.file, finding.place) for finding in report.findings})
    unread = len({one.file for one in report.unread})
    if found:
        if all(why_it_may_name_the_erased(finding.file) for finding in report.findings):
            places_said = f"{places} places, all of which may name somebody erased (what the law holds, unsent notices)"
        else:
            places_said = f"{places} places"
        also = f"; and {unread} files could not be read, which may hold more" if unread else ""
        raise LeiiError(f"{found} of {report.identifiers} identifiers were found, in {places_said}{also}")
    if unread:
        raise LeiiError(
            f"nothing was found, but the scan is not clean: {unread} files could not be read, and may hold what was looked for"
        )


def compact(lines: Sequence[int]) -> str:
    """Numbers in order, runs drawn together: "1-3, 7"."""
    runs: list[list[int]] = []
    for line in sorted(set(lines)):
        if runs and line == runs[-1][-1] + 1:
            runs[-1][1:] = [line]
        else:
            runs.append([line])
    return ", ".join("-".join(map(str, run)) for run in runs)


def _lines(lines: Sequence[int]) -> str:
    runs = compact(lines).split(", ")
    if len(runs) > _SHOWN_RUNS:
        return f"{len(set(lines)):,} lines ({', '.join(runs[:_SHOWN_RUNS])}, …; all with --json)"
    return f"line{'s' * (len(set(lines)) > 1)} {', '.join(runs)}"


def _plain(text: str) -> str:
    """A file's name as rich prints it letter by letter."""
    from rich.markup import escape

    return escape("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))


@contextmanager
def _progress(root: Path, *, quiet: bool) -> Iterator[OnBytes | None]:
    if quiet or not ERRORS.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    total = sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    columns = (BarColumn(bar_width=24), DownloadColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=ERRORS, transient=True) as bar:
        task = bar.add_task("searching", total=total)
        yield lambda size: bar.advance(task, size)

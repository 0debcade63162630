"""How the command talks: a bar while a run lasts, a line for each stage that ends, tables at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from orchestration.report import Report, Stage

ERRORS = Console(stderr=True, highlight=False)

TITLES = {
    "read": "read {}",
    "ask": "ask {}",
    "recognise": "who is who",
    "pseudonymise": "pseudonymise for {}",
    "sweep": "erasures: decide and sweep",
    "build": "build models of {}",
    "train": "train the model of {}",
    "publish": "publish {}",
    "tidy": "empty landing",
    "certify": "erasures: verify and certify",
    "tell": "tell the app: {}",
    "rebuild": "rebuild {}",
    "restored": "restored: {}",
}


def title(stage: Stage) -> str:
    return TITLES.get(stage.name, stage.name).format(stage.part)


def counted(stage: Stage) -> str:
    """What a stage counted, without the zeros."""
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in stage.counts.items() if count)


def print_stage(stage: Stage) -> None:
    """A line for a stage that has ended."""
    if stage.state != "running":
        mark = "[green]✓[/green]" if stage.state == "done" else "[red]✗[/red]"
        ERRORS.print(f"{mark} {title(stage):32} {stage.seconds:6.1f} s  {counted(stage)}", soft_wrap=True)


class StageDisplay:
    """A bar with what is under way, and a line above it for every stage that has ended."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=total)
        self._running: dict[int, Stage] = {}

    def __call__(self, stage: Stage) -> None:
        if stage.state == "running":
            self._running[id(stage)] = stage
        else:
            self._running.pop(id(stage), None)
            print_stage(stage)
            self._progress.advance(self._task)
        doing = "; ".join(title(one) for one in list(self._running.values()))
        self._progress.update(self._task, description=doing or "…")


@contextmanager
def stage_display(total: int, *, quiet: bool = False) -> Iterator[Any]:
    """Give something to hand a run as `on_change`. Everything goes to standard error."""
    if quiet:
        yield lambda stage: None
        return
    if not ERRORS.is_terminal:
        yield print_stage
        return
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=ERRORS, transient=True) as progress:
        yield StageDisplay(progress, total)


def print_report(console: Console, report: Report) -> None:
    """Rows read and stored, what was told and erased, and whatever somebody should look at."""
    rows = Table("stage", "source or purpose", "rows", "seconds", box=None, pad_edge=False, header_style="bold")
    for stage in report.stages:
        if stage.name in ("read", "pseudonymise", "publish"):
            rows.add_row(stage.name, stage.part or "", f"{stage.counts.get('rows', 0):,}", f"{stage.seconds:.1f}")
    console.print(rows)
    for name in ("sweep", "certify", "tell"):
        for stage in report.of(name):
            console.print(f"{title(stage)}: {counted(stage) or 'nothing new'}")
    print_problems(report)


def print_problems(report: Report) -> None:
    for warning in report.warnings:
        ERRORS.print(f"[yellow]warning[/yellow] {warning}", highlight=False, markup=True, soft_wrap=True)
    for stage in report.failed:
        ERRORS.print(f"[red]failed[/red] {title(stage)}: ", end="", highlight=False)
        ERRORS.print(stage.error or "", highlight=False, markup=False, soft_wrap=True)

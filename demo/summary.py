"""The end of `leii demo`, for a person to read."""

from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.place import Show, read_truth


def print_summary(console: Console, story: Show) -> None:
    """Rows, frauds, erasures, times, and where to look next."""
    console.print("\n[bold]What came in, and who got what[/bold] (rows)")
    console.print(_rows(story))
    console.print("\n[bold]Fraud[/bold]: what was planted, and what the flags in the app hit")
    console.print(_frauds(story))
    _print_privacy(console, story)
    first, second = story.seconds
    console.print(
        f"\n[bold]Time[/bold]: the first run {first:.0f} s; the second, with {story.days} days of news, {second:.0f} s "
        f"({second / first:.0%} of the first)"
    )
    prefix = f"LEII_CONFIG={story.use_config} " if story.use_config else ""
    console.print("\n[bold]Where to look next[/bold] (the copies are read as they are: no server is needed)")
    for command, why in (
        ("leii dashboard", "market, matching, fraud and privacy in the browser"),
        ("leii notebook matching", "where supply is missing; also fraud, market_trends, accounting"),
        ("leii status", "how things stand"),
        ("leii policy", "who gets what of the personal data, how treated, and why"),
        (f"leii verify-certificate {_certificate(story)}", "an erasure's certificate, checked offline"),
    ):
        console.print(f"  {prefix}{command}", style="cyan", soft_wrap=True)
        console.print(f"      {why}")


def _rows(story: Show) -> Table:
    table = Table("", "first run", f"after {story.days} days", box=None, pad_edge=False, header_style="bold")
    for stage, heading in (
        ("read", "read from {}"),
        ("pseudonymise", "stored for {}"),
        ("publish", "published for {}"),
    ):
        counts = [_counts(report, stage) for report in story.reports]
        for part in counts[0]:
            table.add_row(heading.format(part), *(f"{count.get(part, 0):,}" for count in counts))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _counts(report: dict[str, Any], stage: str) -> dict[str, int]:
    return {one["part"]: one["counts"].get("rows", 0) for one in report["stages"] if one["name"] == stage}


def _frauds(story: Show) -> Table:

    cases: defaultdict[str, defaultdict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in read_truth(story.place.world, "fraud"):
        cases[row["kind"]][row["group"]].add(row["account_id"])
    table = Table("kind", "planted cases", "hit", box=None, pad_edge=False, header_style="bold")
    for kind, groups in sorted(cases.items()):
        hit = sum(bool(people & story.flagged) for people in groups.values())
        table.add_row(kind.replace("_", " "), str(len(groups)), str(hit))
    planted = {person for groups in cases.values() for people in groups.values() for person in people}
    table.add_row("[dim]flags about nobody planted[/dim]", "", str(len(story.flagged - planted)))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _print_privacy(console: Console, story: Show) -> None:
    certificates = len(list((story.place.home / "certificates").glob("*-*.json")))
    states = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(story.receipts.items()))
    agreeing, planted = story.receipts_as_meant
    console.print(f"\n[bold]Privacy[/bold]: {certificates} people erased, each with a signed certificate")
    console.print(f"  receipts in the app: {states}")
    console.print(f"  after the first run, {agreeing} of {planted} planted requests stood as they were meant to")


def _certificate(story: Show) -> str:
    folder = story.place.home / "certificates"
    newest = max(folder.glob("*-*.json"), default=folder / "none.json")
    return f"{newest} --public-key {folder / 'public_key.pem'}"

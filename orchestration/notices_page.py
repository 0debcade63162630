"""`leii notices`: the queue, handing over, and the register of disclosures; and the cookie that `leii erase` reads."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TextIO

from orchestration.settings import Settings
from pseudonymisation.disclosure_register import register_of_disclosures
from pseudonymisation.notices.handing_over import HandOver, confirm_hand_over, write_hand_over
from pseudonymisation.notices.store import queue_of
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy
from pseudonymisation.policy.recipients import EVENTS
from storage import LeiiError, exclusive_run

LONGEST_COOKIE = 1000


def read_cookie(stream: TextIO) -> str:
    """One anonymousId. Raises LeiiError, without what was read, for anything else."""
    lines = [line for line in stream.read(10 * LONGEST_COOKIE).split("\n") if line.strip()]
    if len(lines) != 1 or len(lines[0]) > LONGEST_COOKIE:
        raise LeiiError("give one cookie's anonymousId on standard input, on one line: nothing was done")
    return lines[0].strip()


def read_queue(settings: Settings, *, wait_seconds: float) -> list[dict[str, Any]]:
    """What waits, by recipient and event: counts, times, and the id of a file that is not confirmed."""
    workspace = settings.workspace_there()
    with exclusive_run(workspace.home, wait_seconds=wait_seconds):
        return [asdict(one) for one in queue_of(workspace)]


def hand_over(settings: Settings, recipient: str, *, wait_seconds: float) -> HandOver:
    """Write the file for one recipient."""
    workspace = settings.workspace_there()
    with exclusive_run(workspace.home, wait_seconds=wait_seconds):
        return write_hand_over(workspace, load_policy(), recipient)


def confirm(settings: Settings, hand_over_id: str, *, wait_seconds: float) -> int:
    """Confirm a file and remove it with everything that it says; returns how many notices it had."""
    workspace = settings.workspace_there()
    with exclusive_run(workspace.home, wait_seconds=wait_seconds):
        return confirm_hand_over(workspace, hand_over_id)


def read_register(settings: Settings, *, wait_seconds: float) -> list[dict[str, Any]]:
    """Every recipient of the policy: what it is given, why, about how many living people, and since when."""
    workspace, policy = settings.workspace_there(), load_policy()
    with exclusive_run(workspace.home, wait_seconds=wait_seconds):
        found = {one.recipient: one for one in register_of_disclosures(workspace)}
    return [
        {
            **recipient_as_json(policy, name),
            "people": found[name].people if name in found else 0,
            "first_row": found[name].since if name in found else None,
        }
        for name in policy.recipients
    ]


def recipient_as_json(policy: Policy, name: str) -> dict[str, Any]:
    """What the policy says of one recipient."""
    recipient = policy.recipients[name]
    return {
        "recipient": name,
        "title": recipient.title,
        "what_for": recipient.what_for,
        "promises": list(recipient.promises),
        "lawful_basis": f"GDPR art. {recipient.basis_article}: {recipient.basis_reason}",
        "is_given": recipient.is_given,
        "since": recipient.since,
        "gets": list(recipient.gets),
        "known_as": {naming.word: f"{naming.table}.{naming.named}" for naming in recipient.known_as},
        "told_of": [event for event in EVENTS if recipient.is_told_of(event)],
        "not_told": dict(recipient.not_told),
    }


def print_queue(console: Any, queue: Sequence[Mapping[str, Any]]) -> None:
    """The queue for a person."""
    from rich.table import Table

    if not queue:
        console.print("nobody waits to be told of anything")
        return
    columns = ("recipient", "told of", "wait", "ready", "overdue", "oldest", "written, not confirmed")
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for one in queue:
        late = f"[red]{one['overdue']}[/red]" if one["overdue"] else "0"
        counts = (str(one["waiting"]), str(one["ready"]), late)
        table.add_row(one["recipient"], one["event"], *counts, f"{one['oldest']:%Y-%m-%d}", one["hand_over_id"] or "")
    console.print(table)
    console.print("ready: `leii notices --hand-over RECIPIENT`; an erasure is told of once it is certified")


def print_register(console: Any, register: Sequence[Mapping[str, Any]]) -> None:
    """The register for a person."""
    for one in register:
        people = f"{one['people']:,} people known, the first since {one['first_row'] or 'an unknown day'}"
        given = people if one["is_given"] else "nothing is given to it yet"
        console.print(f"[bold]{one['recipient']}[/bold]: {one['title']}. {one['what_for']}", soft_wrap=True)
        console.print(
            f"  {given if one['known_as'] else 'Leii holds nothing by which it knows anybody'}", soft_wrap=True
        )
        console.print(f"  gets: {', '.join(one['gets']) or 'nothing from here'}", soft_wrap=True)
        console.print(f"  {one['lawful_basis']}", soft_wrap=True)
        console.print(f"  told of: {', '.join(one['told_of']) or 'nothing'}", soft_wrap=True)
        for event, why in one["not_told"].items():
            console.print(f"  not told of {event}: {why}", soft_wrap=True)

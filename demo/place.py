"""Where a demo keeps what it makes, and what it has to tell of it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a demo keeps what it makes."""

    root: Path

    @property
    def world(self) -> Path:
        return self.root / "world"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def config(self) -> Path:
        return self.root / "leii.toml"

    @property
    def now(self) -> datetime:
        """The world's clock."""
        return datetime.fromtimestamp(json.loads((self.world / "world.json").read_text())["now"], UTC)


@dataclass(kw_only=True)
class Show:
    """What the demo has to tell at the end."""

    place: Place
    days: int
    reports: list[dict[str, Any]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    flagged: set[str] = field(default_factory=set)
    receipts: dict[str, int] = field(default_factory=dict)
    receipts_as_meant: tuple[int, int] = (0, 0)
    use_config: Path | None = None


def read_truth(world: Path, name: str) -> list[dict[str, Any]]:
    """What the generator planted, one dictionary a row."""
    return [json.loads(line) for line in (world / "truth" / f"{name}.jsonl").read_text().splitlines()]

"""What a run did: stages with their times and counts, for the console, for `leii status` and for Dagster's metadata.

Only names of tables and numbers get in here. An error's own text is let through only when it was written to be read by
whoever runs the system; any other may quote a row, and is told by its type and place alone.
"""

import json
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from storage import Home, LeiiError, write_durably

State = Literal["running", "done", "failed"]

_SPEAKS_OF_SQL_ONLY = re.compile(r"^(Binder|Catalog|Parser) Error")


@dataclass(kw_only=True)
class Stage:
    """One step of a run. `part`: the source or purpose that it was for. `counts`: whatever it counted, by name."""

    name: str
    part: str | None
    state: State = "running"
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass(kw_only=True)
class Report:
    """One run, growing while it lasts; safe among threads. `on_change` is called, from any thread, when a stage moves."""

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    stages: list[Stage] = field(default_factory=list)
    on_change: Callable[[Stage], None] = field(default=lambda stage: None)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def stage(self, name: str, part: str | None = None) -> Iterator[Stage]:
        """Time a stage. Whatever goes wrong in it comes out as a LeiiError that quotes nobody's data."""
        stage = Stage(name=name, part=part)
        began = time.monotonic()
        with self._lock:
            self.stages.append(stage)
        self.on_change(stage)
        try:
            yield stage
            stage.state = "done"
        except LeiiError as error:
            stage.state, stage.error = "failed", str(error)
            raise LeiiError(str(error)) from None
        except Exception as error:
            stage.state, stage.error = "failed", without_data(error)
            raise LeiiError(stage.error) from None
        except BaseException:
            stage.state, stage.error = "failed", "interrupted"
            raise
        finally:
            stage.seconds = time.monotonic() - began
            self.on_change(stage)

    @property
    def failed(self) -> list[Stage]:
        return [stage for stage in self.stages if stage.state == "failed"]

    @property
    def warnings(self) -> list[str]:
        return [warning for stage in self.stages for warning in stage.warnings]

    def of(self, name: str) -> list[Stage]:
        """The stages of this name, one a source or purpose."""
        return [stage for stage in self.stages if stage.name == name]

    def as_json(self) -> dict[str, Any]:
        return {
            "started_at": self.started_at.isoformat(),
            "seconds": round((datetime.now(UTC) - self.started_at).total_seconds(), 1),
            "is_complete": bool(self.stages) and not self.failed,
            "stages": [asdict(stage) for stage in self.stages],
        }


def without_data(error: BaseException) -> str:
    """An error told by its type and the place where it rose; with its text only if that speaks of SQL alone."""
    while error.__context__ is not None and not error.__suppress_context__:
        error = error.__context__  # what went wrong first, not what cleaning up ran into
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "an unknown place"
    text = str(error).splitlines()[0] if str(error) else ""
    if _SPEAKS_OF_SQL_ONLY.match(text):
        return f"{type(error).__name__} at {place}: {text}"
    return f"{type(error).__name__} at {place} (its text is withheld, as it may quote a row)"


def last_run_file(home: Home) -> Path:
    return home.root / "last_run.json"


def save_report(home: Home, report: Report) -> None:
    """Keep the report of the newest run, for `leii status`."""
    write_durably(last_run_file(home), json.dumps(report.as_json(), indent=2).encode())


def read_last_report(home: Home) -> dict[str, Any] | None:
    """The newest run's report; None before the first."""
    path = last_run_file(home)
    content: dict[str, Any] | None = json.loads(path.read_bytes()) if path.exists() else None
    return content

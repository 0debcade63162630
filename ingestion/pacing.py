"""Requests below the limits of whoever is asked."""

import threading
import time

HOLD_SECONDS = 0.5  # how long everybody leaves a limit alone that somebody has met


class Pacer:
    """Gives every request its turn; safe among threads. Rates are requests a second."""

    def __init__(self, *, endpoint_rate: float, total_rate: float) -> None:
        self._endpoint_gap = 1.0 / endpoint_rate
        self._total_gap = 1.0 / total_rate
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, endpoint: str) -> None:
        """Return when a request to the endpoint may start. Evenly spaced, so that no one-second window overflows."""
        self._take(endpoint, self._endpoint_gap)
        self._take("", self._total_gap)

    def hold(self, endpoint: str) -> None:
        """Let nobody start there for a moment ("": anywhere): others use the same limit."""
        with self._lock:
            self._next[endpoint] = max(self._next.get(endpoint, 0.0), time.monotonic() + HOLD_SECONDS)

    def _take(self, name: str, gap: float) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next.get(name, 0.0))
            self._next[name] = turn + gap
        if turn > now:
            time.sleep(turn - now)

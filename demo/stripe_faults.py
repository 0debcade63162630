"""What goes wrong between a client and Stripe: limits, errors, cut connections, events doubled and out of order, and
keys and versions that are refused.

Every kind of fault draws from its own generator, seeded once: the same requests in the same order meet the same faults.
"""

import random
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from demo.stripe_errors import ApiError, invalid, no_permission, rate_limited
from demo.stripe_resources import API_VERSION

SERVER_ERRORS = (500, 502, 503)
ALL_ENDPOINTS_FACTOR = 4  # Stripe: 25 requests a second to an endpoint, 100 to all of them
SECOND = 1.0


@dataclass(frozen=True, kw_only=True)
class FaultSettings:
    rate_limit: int = 25  # requests a second per endpoint and account, four times that in all; 0 = no limit
    error_rate: float = 0.0
    cut_rate: float = 0.0
    duplicate_rate: float = 0.0
    reorder: bool = False
    latency_ms: float = 0.0
    seed: int = 0
    denied: tuple[str, ...] = ()  # object types that the key, a restricted one, may not read
    failing: tuple[str, ...] = ()  # object types whose endpoints answer nothing but 5xx
    api_version: str = API_VERSION  # the only one that is known


@dataclass(kw_only=True)
class Faults:
    """The limits' memory and the state of the generators."""

    settings: FaultSettings
    served: dict[tuple[str, str], deque[float]] = field(default_factory=lambda: defaultdict(deque))
    served_in_all: deque[float] = field(default_factory=deque)
    draws: dict[str, random.Random] = field(default_factory=dict)

    def _draw(self, kind: str) -> random.Random:
        if kind not in self.draws:
            self.draws[kind] = random.Random(f"{self.settings.seed} {kind}")
        return self.draws[kind]

    def check_rate(self, account: str, endpoint: str) -> None:
        """Raises ApiError (429) past the limits; a refused request does not count against them."""
        limit, now = self.settings.rate_limit, time.monotonic()
        if not limit:
            return
        here = self.served[account, endpoint]
        for reason, times, most in (
            ("global-rate", self.served_in_all, limit * ALL_ENDPOINTS_FACTOR),
            ("endpoint-rate", here, limit),
        ):
            while times and times[0] <= now - SECOND:
                times.popleft()
            if len(times) >= most:
                raise rate_limited(reason)
        here.append(now)
        self.served_in_all.append(now)

    def check_version(self, version: str) -> None:
        """Raises ApiError (400) for a version that Stripe does not have (any more)."""
        known = self.settings.api_version
        if version != known:
            raise invalid(f"Invalid Stripe API version: {version}. The Stripe double speaks {known} only.")

    def check_permission(self, api_key: str, types: Sequence[str]) -> None:
        """Raises ApiError (403) for a list of types of which the key may not read one."""
        denied = sorted(set(types) & set(self.settings.denied))
        if denied:
            raise no_permission(api_key, denied[0])

    def check_error(self, types: Sequence[str] = ()) -> None:
        """Raises ApiError (5xx) at the settled rate, and always for types that are out of order."""
        draw = self._draw("error")
        if draw.random() < self.settings.error_rate or not set(types).isdisjoint(self.settings.failing):
            raise ApiError(
                draw.choice(SERVER_ERRORS),
                "Sorry! There was an error while talking to one of our backends. Please retry.",
                kind="api_error",
            )

    def is_cut(self) -> bool:
        return self._draw("cut").random() < self.settings.cut_rate

    def deliver(self, rows: list[int], limit: int) -> list[int]:
        """Rows of a page of events with some of them twice, out of order, in no more than `limit` places.

        The last stays in its place, so that paging on from it neither loses an event nor turns back.
        """
        if not rows or not (self.settings.duplicate_rate or self.settings.reorder):
            return rows
        draw, delivered = self._draw("delivery"), list[int]()
        for row in rows:
            if len(delivered) == limit:
                break
            delivered.append(row)
            if len(delivered) < limit and draw.random() < self.settings.duplicate_rate:
                delivered.append(row)
        if self.settings.reorder:
            body = delivered[:-1]
            draw.shuffle(body)
            delivered = [*body, delivered[-1]]
        return delivered

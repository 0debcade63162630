"""Requests to Stripe: paced below its limits, retried by its own client, and refused in words that show no object.

The `stripe` package does keys, versions, connections and jittered back-off. What it lacks is added at its own extension
point, the HTTP client: no request starts before its turn, and 429 and answers that break off are retried like 5xx.
"""

import logging
import re
import threading
from collections import Counter
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import stripe

from ingestion.pacing import Pacer
from ingestion.stripe_readable import Unreadable
from ingestion.stripe_shapes import ShapeWatch

API_VERSION = "2026-10-28.endive"

ENDPOINT_LIMIT = 25.0
"""How many requests a second Stripe takes at one endpoint, unless it has agreed to more; in all it takes four times as many."""

NETWORK_RETRIES = 8

_WORD = re.compile(r"[a-z_]+|v1")

# Stripe answers one of these about an object, or a connected account, that is no longer there for this key.
CLOSED_ACCOUNT = "account_invalid"
GONE_CODES = frozenset({"resource_missing", CLOSED_ACCOUNT})


class PacedHttpClient(stripe.RequestsClient):
    """The package's HTTP client, with a turn for every attempt and a count of them by endpoint.

    The body of a good answer is kept aside for the asking thread, and the package is handed an empty object: reading
    large lists into its ordered dicts takes several times as long as everything else that is done with them.
    """

    def __init__(self, pacer: Pacer) -> None:
        super().__init__()
        self._pacer = pacer
        self._counts: Counter[str] = Counter()
        self._counts_lock = threading.Lock()
        self._kept = threading.local()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[Any, int, Mapping[str, str]]:
        endpoint = endpoint_of(url)
        limited = f"{endpoint} {(headers or {}).get('Stripe-Account', '')}"
        self._pacer.wait(limited)
        with self._counts_lock:
            self._counts[endpoint] += 1
        try:
            body, status, answered = super().request(method, url, headers, post_data)
        except stripe.APIConnectionError as error:
            # The package gives up on an answer that breaks off; a read can simply be asked again.
            if isinstance(error.__cause__, self.requests.exceptions.ChunkedEncodingError):
                error.should_retry = True
            raise
        if status == 429:
            # The package leaves 429 to its caller unless the answer says otherwise; its back-off suits it well.
            cast(MutableMapping[str, str], answered).setdefault("stripe-should-retry", "true")
            self._pacer.hold("" if answered.get("Stripe-Rate-Limited-Reason") == "global-rate" else limited)
        if status == 200:
            self._kept.body = body
            self._kept.version = answered.get("Stripe-Version", API_VERSION)
            return b"{}", status, answered
        return body, status, answered

    def kept_body(self) -> bytes:
        """The body of this thread's last good answer, once."""
        body: bytes = getattr(self._kept, "body", b"")
        self._kept.body = b""
        return body

    def kept_version(self) -> str:
        """The API version of this thread's last good answer."""
        version: str = getattr(self._kept, "version", API_VERSION)
        return version

    def attempts(self, endpoint: str) -> int:
        """How many requests were made to an endpoint and to the objects under it, retries included."""
        with self._counts_lock:
            return sum(count for name, count in self._counts.items() if name in (endpoint, f"{endpoint}/{{id}}"))


@dataclass(frozen=True, kw_only=True)
class StripeApi:
    """One key at one address. `stopping` makes every further request fail, so that a pass can end early.

    `unreadable`: objects that came and cannot be taken in.
    `shapes` sees every object that is read.
    """

    client: stripe.StripeClient
    http: PacedHttpClient
    address: str
    retries: int
    shapes: ShapeWatch = field(default_factory=ShapeWatch)
    stopping: threading.Event = field(default_factory=threading.Event)
    unreadable: Unreadable = field(default_factory=Unreadable)


class PassStoppedError(Exception):
    """The pass is ending; nothing more is asked of Stripe."""


class RefusalError(Exception):
    """A request that failed for good. The text names the endpoint, never an object."""

    def __init__(self, text: str, *, code: str | None) -> None:
        super().__init__(text)
        self.code = code

    @property
    def is_gone(self) -> bool:
        """Whether Stripe says that what was asked for is not there (any more) for this key."""
        return self.code in GONE_CODES

    @property
    def is_closed_account(self) -> bool:
        """Whether that is so because the key has no access (any more) to the connected account."""
        return self.code == CLOSED_ACCOUNT


def pacer_below(endpoint_limit: float) -> Pacer:
    """The pace for a limit of so many requests a second to one endpoint: a little less, as requests bunch up on their way."""
    return Pacer(endpoint_rate=0.92 * endpoint_limit, total_rate=0.95 * 4 * endpoint_limit)


def open_api(
    api_key: str,
    api_base: str | None,
    *,
    retries: int = NETWORK_RETRIES,
    pacer: Pacer | None = None,
    shapes: ShapeWatch | None = None,
) -> StripeApi:
    """A client of our own with its own key: nothing of the package's module-level settings is used or changed."""
    _silence_bodies()
    http = PacedHttpClient(pacer or pacer_below(ENDPOINT_LIMIT))
    addresses: dict[str, str] = {"api": api_base.rstrip("/")} if api_base else {}
    client = stripe.StripeClient(
        api_key,
        stripe_version=API_VERSION,
        base_addresses=cast(Any, addresses),
        max_network_retries=retries,
        http_client=http,
    )
    return StripeApi(
        client=client,
        http=http,
        address=api_base or stripe.DEFAULT_API_BASE,
        retries=retries,
        shapes=shapes or ShapeWatch(),
    )


def get(
    api: StripeApi,
    path: str,
    *,
    account: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """GET one object or one page of a list, as plain dicts. Raises RefusalError once retrying is over."""
    if api.stopping.is_set():
        raise PassStoppedError
    options = {"stripe_account": account} if account else {}
    try:
        # raw_request: the same request without a Stripe object for every row, which costs more than the row.
        cast(Any, api.client).raw_request("get", path, **(parameters or {}), **options)
    except stripe.StripeError as error:
        raise _refusal(api, endpoint_of(path), error) from None
    if api.http.kept_version() != API_VERSION:
        raise RefusalError(f"{api.address} answers in another API version than {API_VERSION}", code=None)
    try:
        value = orjson.loads(api.http.kept_body())
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        is_it = f"is {api.address} really Stripe's API?"
        raise RefusalError(f"{endpoint_of(path)} answered with something that is no JSON object: {is_it}", code=None)
    return value


def endpoint_of(url: str) -> str:
    """The path with ids replaced: `/v1/charges/{id}`. What Stripe limits, and safe to show."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    return "/" + "/".join(part if _WORD.fullmatch(part) else "{id}" for part in parts)


def _refusal(api: StripeApi, endpoint: str, error: stripe.StripeError) -> RefusalError:
    """Stripe's own message can quote ids and addresses, so only its kind, status and request id are passed on."""
    status = error.http_status
    message = (error.user_message or "").lower()
    code = _code(error)
    if isinstance(error, stripe.AuthenticationError):
        text = "Stripe refused the key (401): check LEII_STRIPE_API_KEY"
    elif isinstance(error, stripe.PermissionError) and code not in GONE_CODES:
        text = f"the key may not read {endpoint} (403): give it read permission for that resource in Stripe's dashboard"
    elif isinstance(error, stripe.APIConnectionError):
        text = f"no answer from {api.address} after {api.retries + 1} tries: check LEII_STRIPE_API_BASE and the network"
    elif status == 429:
        text = f"{endpoint} was still over Stripe's rate limit after {api.retries + 1} tries: run again later"
    elif status == 400 and "api version" in message:
        text = (
            f"{api.address} does not know API version {API_VERSION} (400), the one that this pipeline was written for"
        )
    elif status is not None and status >= 500:
        text = f"{endpoint} answered {status} on each of {api.retries + 1} tries: run again later"
    elif code in GONE_CODES:
        text = f"{endpoint} is not there for this key ({status}, {code})"
    else:
        text = f"{endpoint} refused the request ({status}, {code or type(error).__name__})"
    return RefusalError(f"{text} [{error.request_id}]" if error.request_id else text, code=code)


def _code(error: stripe.StripeError) -> str | None:
    """The code in the answer's body: the package does not pass it on for every kind of error."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    told = body.get("error")
    code = told.get("code") if isinstance(told, dict) else None
    return code if isinstance(code, str) else error.code


def _silence_bodies() -> None:
    """At debug level the package logs whole answers, and urllib3 logs the ids in addresses."""
    for name in ("stripe", "urllib3.connectionpool"):
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.WARNING:
            logger.setLevel(logging.WARNING)

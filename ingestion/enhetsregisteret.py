"""Enhetsregisteret, the Norwegian register of organisations, through its open API: one number at a time, with patience.

Answers of `GET /enheter/{number}` (https://data.brreg.no/enhetsregisteret/api/dokumentasjon): 200 with the organisation, or
with `slettedato` for one that was struck off (its other flags are then missing); 404 for a number that was never given;
410 for one whose record has been removed for legal reasons. Numbers of branches stand under `/underenheter`.
A name may be a person's (sole proprietors): it is for comparing at once, and is kept nowhere.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import tenacity

from ingestion.pacing import Pacer

for _logger in ("httpx", "httpcore"):
    logging.getLogger(_logger).setLevel(logging.WARNING)  # below that they name each address, and so the number in it

PER_SECOND = 10.0
TIMEOUT_SECONDS = 10.0
ATTEMPTS = 4
LONGEST_WAIT_SECONDS = 30.0
GIVE_UP_AFTER = 5
"""So many numbers in a row without an answer: it is down, and the rest can wait for the next pass."""
LONGEST_ANSWER_BYTES = 1 << 20
PATHS = ("enheter", "underenheter")
_RETRIED = (429, 500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """What the register says of a number: `outcome` is valid (it knows it), invalid (it does not) or unknown (it gave no
    answer that says so). A flag that it does not give is None. `is_answered`: there was an answer at all."""

    outcome: str
    is_answered: bool = True
    is_deregistered: bool | None = None
    is_bankrupt: bool | None = None
    is_winding_up: bool | None = None
    name: str | None = None


NO_ANSWER = Organisation(outcome="unknown", is_answered=False)
_UNUSABLE = Organisation(outcome="unknown")


class _Retry(Exception):  # noqa: N818
    def __init__(self, after: float | None = None) -> None:
        self.after = after
        super().__init__("the register asks for patience, or cannot be reached")


def ask(
    api_base: str, numbers: Sequence[str], *, per_second: float = PER_SECOND, first_wait_seconds: float = 0.5
) -> Iterator[tuple[str, Organisation]]:
    """What the register says of each number. Ends early when it is down. Raises nothing for what the register does."""
    is_own = urlsplit(api_base).hostname in ("127.0.0.1", "localhost", "::1")
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((_Retry, httpx.TransportError)),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=_Patience(first_wait_seconds),
        reraise=True,
    )
    pacer = Pacer(endpoint_rate=per_second, total_rate=per_second)
    silent = 0
    headers = {"Accept": "application/json", "User-Agent": "leii-insight"}
    with httpx.Client(timeout=TIMEOUT_SECONDS, headers=headers, trust_env=not is_own) as client:
        for number in numbers:
            found = _look_up(client, retrying, pacer, api_base, number)
            silent = 0 if found.is_answered else silent + 1
            yield number, found
            if silent == GIVE_UP_AFTER:
                return


def _look_up(
    client: httpx.Client, retrying: tenacity.Retrying, pacer: Pacer, api_base: str, number: str
) -> Organisation:
    """Among the organisations, and if it is none of them among the branches."""
    found = NO_ANSWER
    for path in PATHS:
        try:
            status, body = retrying(_get, client, pacer, f"{api_base}/{path}/{number}")
        except (_Retry, httpx.HTTPError, httpx.InvalidURL):
            return NO_ANSWER
        found = read_answer(number, status, body)
        if found.outcome != "invalid":
            return found
    return found


def _get(client: httpx.Client, pacer: Pacer, url: str) -> tuple[int, bytes]:
    pacer.wait("enheter")
    with client.stream("GET", url) as response:
        if response.status_code in _RETRIED:
            raise _Retry(_retry_after(response.headers.get("Retry-After", "")))
        body = b""
        for piece in response.iter_bytes():
            body += piece
            if len(body) > LONGEST_ANSWER_BYTES:
                return response.status_code, b""
        return response.status_code, body


def read_answer(number: str, status: int, body: bytes) -> Organisation:
    """One answer as what it says, and nothing beyond it."""
    if status == 404:
        return Organisation(outcome="invalid")
    if status not in (200, 410):
        return _UNUSABLE
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _UNUSABLE
    if not isinstance(answer, dict) or str(answer.get("organisasjonsnummer")) != number:
        return _UNUSABLE
    is_deleted = isinstance(answer.get("slettedato"), str) or answer.get("respons_klasse") == "SlettetEnhet"
    if status == 410:
        return Organisation(outcome="valid", is_deregistered=True) if is_deleted else _UNUSABLE
    winding = [_flag(answer, "underAvvikling"), _flag(answer, "underTvangsavviklingEllerTvangsopplosning")]
    name = answer.get("navn")
    return Organisation(
        outcome="valid",
        is_deregistered=is_deleted,
        is_bankrupt=_flag(answer, "konkurs"),
        is_winding_up=True if True in winding else False if False in winding else None,
        name=name if isinstance(name, str) and name.strip() else None,
    )


def _flag(answer: dict[str, Any], name: str) -> bool | None:
    value = answer.get(name)
    return value if isinstance(value, bool) else None


def _retry_after(header: str) -> float | None:
    return min(float(header), LONGEST_WAIT_SECONDS) if header.isascii() and header.isdigit() else None


class _Patience(tenacity.wait.wait_base):
    """As long as the register asks for, or else doubling with jitter."""

    def __init__(self, first_seconds: float) -> None:
        self._doubling = tenacity.wait_exponential_jitter(
            multiplier=first_seconds, max=LONGEST_WAIT_SECONDS, jitter=first_seconds
        )

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, _Retry) and error.after is not None:
            return error.after
        return self._doubling(retry_state)

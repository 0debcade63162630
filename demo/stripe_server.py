"""A double of Stripe's API: a real HTTP server that answers read requests out of a folder of objects, on loopback only.

Beside Stripe's own paths it has two of its own, without a key: GET /_double/state and POST /_double/reload.
"""

import asyncio
import base64
import ipaddress
import itertools
import json
import re
import secrets
import socket
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from demo.stripe_answers import Asker, check_account, list_objects, own_account, retrieve_object
from demo.stripe_errors import ApiError, masked
from demo.stripe_faults import Faults, FaultSettings
from demo.stripe_parameters import parse_list_query, parse_retrieve_query
from demo.stripe_resources import ENDPOINTS, Endpoint
from demo.stripe_store import FilesChangedError, World, close_world, folder_state, read_world
from storage.clock import fixed_or_real_now
from storage.errors import LeiiError

LOOK_EVERY_SECONDS = 0.2
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_ROUTES = [
    (re.compile(re.sub(r"\{parent\}", "(?P<parent>[^/]+)", endpoint.path) + "(?:/(?P<id>[^/]+))?"), endpoint)
    for endpoint in ENDPOINTS
]


@dataclass(kw_only=True)
class Double:
    """A running double: its settings and the world as it was last read."""

    folder: Path
    api_key: str
    faults: Faults
    fixed_now: datetime | None
    world: World
    state: object
    looked_at: float = field(default_factory=time.monotonic)
    failure: str | None = None  # why the folder's present state cannot be served
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def now(self) -> datetime:
        return self.world.clock or self.fixed_now or fixed_or_real_now()

    def refresh(self, *, at_once: bool = False) -> None:
        """Read what has changed in the folder. Raises ApiError (500) while it cannot be read: half is not served."""
        moment = time.monotonic()
        if at_once or moment - self.looked_at >= LOOK_EVERY_SECONDS:
            self.looked_at = moment
            self._read_changes()
        if self.failure is not None:
            raise ApiError(500, f"The Stripe double cannot read its objects. {self.failure}", kind="api_error")

    def _read_changes(self) -> None:
        try:
            state = folder_state(self.folder)
            if state == self.state:
                return
            self.state = state
            world = read_world(self.folder, self.world)
        except (LeiiError, OSError) as error:
            self.failure = str(error) if isinstance(error, LeiiError) else f"{error.strerror}: {error.filename}"
            return
        close_world(self.world, keep=world)
        self.world, self.failure = world, None


class CutResponse(Response):
    """Promises the whole body and ends the connection after half of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = bytes(self.body)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def open_double(folder: Path, *, api_key: str, faults: FaultSettings, fixed_now: datetime | None) -> Double:
    """Index the folder. Raises LeiiError when a file of it cannot be served."""
    state = folder_state(folder)
    return Double(
        folder=folder,
        api_key=api_key,
        faults=Faults(settings=faults),
        fixed_now=fixed_now,
        world=read_world(folder),
        state=state,
    )


def build_app(double: Double) -> Starlette:
    async def answer(request: Request) -> Response:
        headers = {"Request-Id": f"req_{next(double.numbers):08d}{secrets.token_hex(3)}"}
        try:
            if request.url.path.startswith("/_double/"):
                return _json(200, _own(double, request), headers)
            headers["Stripe-Version"] = _version(double, request)
            body = await _stripe(double, request, headers)
        except ApiError as error:
            return _json(error.status, json.dumps(error.body, indent=2).encode(), headers | error.headers)
        if double.faults.is_cut():
            return CutResponse(body, 200, headers, "application/json")
        return _json(200, body, headers)

    return Starlette(routes=[Route("/{path:path}", answer, methods=METHODS)])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises LeiiError for anything but loopback."""
    address = "127.0.0.1" if host == "localhost" else host
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        ip = None
    if ip is None or not ip.is_loopback:
        raise LeiiError(f"host is {host!r}: the Stripe double has no protection and serves loopback only, 127.0.0.1")
    listener = socket.socket(socket.AF_INET6 if ip.version == 6 else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise LeiiError(f"port {port} on {host} cannot be used ({error.strerror}): give another, or 0") from None
    listener.listen(1024)
    return listener


def http_server(double: Double) -> uvicorn.Server:
    """To be run on a listening socket: `run(sockets=[listener])`. Connections that came in before are answered too."""
    config = uvicorn.Config(
        build_app(double),
        log_level="critical",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _json(status: int, body: bytes, headers: dict[str, str]) -> Response:
    return Response(body, status, headers, "application/json")


def _own(double: Double, request: Request) -> bytes:
    call = (request.method, request.url.path)
    if call not in {("GET", "/_double/state"), ("POST", "/_double/reload")}:
        raise ApiError(404, "The Stripe double has GET /_double/state and POST /_double/reload.")
    double.refresh(at_once=call[0] == "POST")
    counts = {name: len(index.ids) for name, index in sorted(double.world.types.items())}
    return json.dumps({"objects": double.world.objects, "types": counts, "now": double.now().isoformat()}).encode()


async def _stripe(double: Double, request: Request, headers: dict[str, str]) -> bytes:
    """The body of a good answer; anything else is an ApiError, in the order in which Stripe would find it."""
    _check_key(double.api_key, request.headers.get("authorization"))
    path = request.url.path.rstrip("/")
    matches = ((pattern.fullmatch(path), endpoint) for pattern, endpoint in _ROUTES)
    match, endpoint = next(((match, endpoint) for match, endpoint in matches if match), (None, None))
    account = request.headers.get("stripe-account")
    name = f"{endpoint.path} {'retrieve' if match['id'] else 'list'}" if match and endpoint else path
    if double.faults.settings.latency_ms:
        await asyncio.sleep(double.faults.settings.latency_ms / 1000)
    double.faults.check_rate(account or "", name)
    types = endpoint.types if endpoint else ()
    double.faults.check_error(types)
    double.faults.check_version(headers["Stripe-Version"])
    double.faults.check_permission(double.api_key, types)
    if request.method != "GET":
        raise ApiError(
            405, f"The Stripe double is read-only: {request.method} {path} was refused.", headers={"Allow": "GET"}
        )
    double.refresh()
    try:
        return _answer(double, request, account, match, endpoint)
    except FilesChangedError:
        double.refresh(at_once=True)
        return _answer(double, request, account, match, endpoint)


def _answer(
    double: Double, request: Request, account: str | None, match: re.Match[str] | None, endpoint: Endpoint | None
) -> bytes:
    asker = Asker(world=double.world, now=double.now(), api_key=double.api_key, account=account)
    if account is not None:
        check_account(asker, account)
    query = request.url.query
    if request.url.path.rstrip("/") == "/v1/account":
        return own_account(asker, parse_retrieve_query(("account",), query))
    if match is None or endpoint is None:
        raise ApiError(
            404,
            f"Unrecognized request URL ({request.method}: {request.url.path}). If you are trying to list objects, "
            "remove the trailing slash. If you are trying to retrieve an object, make sure you passed a valid "
            "(non-empty) identifier in your code. The Stripe double knows only part of Stripe's API.",
        )
    groups = match.groupdict()
    if groups["id"] is not None:
        expand = parse_retrieve_query(endpoint.types, query)
        return retrieve_object(asker, endpoint, groups.get("parent"), groups["id"], expand)
    parsed = parse_list_query(endpoint, query)
    return list_objects(asker, endpoint, groups.get("parent"), parsed, double.faults.deliver)


def _version(double: Double, request: Request) -> str:
    return request.headers.get("stripe-version", double.faults.settings.api_version)


def _check_key(api_key: str, authorization: str | None) -> None:
    """Bearer, or basic with the key as the user's name. Raises ApiError (401)."""
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            credentials = base64.b64decode(credentials).decode().partition(":")[0]
        except ValueError:
            credentials = ""
    if scheme.lower() not in ("bearer", "basic") or not credentials.strip():
        raise ApiError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, "
            "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    if not secrets.compare_digest(credentials.strip().encode(), api_key.encode()):
        raise ApiError(401, f"Invalid API Key provided: {masked(credentials.strip())}")

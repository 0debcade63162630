"""Between the pipeline and the double of Stripe: a process of its own that breaks some of what passes through.

    python -m tests.fuzz.breaking_proxy DOUBLE_URL SEED SHARE ANSWERS LOG

Of the objects in an answer, SHARE are changed somehow, the same ones in the same way each time; ANSWERS of the answers
arrive as something else altogether. Connected accounts themselves are left alone, since without them nothing of theirs
would be asked for. LOG gets a line for each broken object: its endpoint, its id before, and what it was made into.
"""

import http.client
import json
import random
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.fuzz.broken import STRANGE, change_object, deep

SPARED = ("account", "list")
PASSED_ON = ("Authorization", "Stripe-Version", "Stripe-Account", "User-Agent")


def serve(double: str, seed: int, share: float, answers: float, log: Path) -> None:
    host = urlsplit(double).netloc
    guard = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            upstream = http.client.HTTPConnection(host, timeout=60)
            upstream.request(
                "GET", self.path, headers={name: self.headers[name] for name in PASSED_ON if name in self.headers}
            )
            answer = upstream.getresponse()
            body = answer.read()
            upstream.close()
            if answer.status == 200:
                body = self.broken(body)
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            for name in ("Request-Id", "Stripe-Should-Retry"):
                if answer.getheader(name):
                    self.send_header(name, str(answer.getheader(name)))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def broken(self, body: bytes) -> bytes:
            whose = self.headers.get("Stripe-Account", "")
            chance = random.Random(f"{seed} {self.path} {whose}")
            if chance.random() < answers:
                return break_answer(chance, body)
            value: dict[str, Any] = json.loads(body)
            if isinstance(value.get("data"), list):
                value["data"] = [self.changed(one) for one in value["data"]]
                return json.dumps(value).encode()
            return json.dumps(self.changed(value)).encode()

        def changed(self, value: dict[str, Any]) -> Any:
            chance = random.Random(f"{seed} {value.get('id')}")
            if value.get("object") in SPARED or value.get("deleted") or chance.random() >= share:
                return value
            made: Any = change_object(chance, value) if chance.random() < 0.95 else chance.choice(STRANGE)
            line = json.dumps(
                {"path": urlsplit(self.path).path, "id": value["id"], "kind": value["object"], "made": made}
            )
            with guard, log.open("a") as file:
                file.write(line + "\n")
            return made

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def break_answer(chance: random.Random, body: bytes) -> bytes:
    """What is no answer of Stripe's any more."""
    kind = chance.randrange(7)
    if kind == 0:
        return body[: chance.randrange(len(body))]
    if kind == 1:
        return bytes(chance.randbytes(200))
    if kind == 2:
        return json.dumps(chance.choice(STRANGE)).encode()
    if kind == 3:
        return json.dumps({**json.loads(body), "data": chance.choice(STRANGE)}).encode()
    if kind == 4:
        return deep(50_000, "list").encode()
    if kind == 5:
        return json.dumps({**json.loads(body), "has_more": True}).encode()
    return body.replace(b"e", b"\xff")


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]))

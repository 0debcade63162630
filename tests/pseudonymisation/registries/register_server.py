"""A register of organisations as a process of its own: it plays recorded answers over HTTP and writes down what it was asked.

    python -m tests.pseudonymisation.registries.register_server FOLDER

`FOLDER/answers.json` maps a path to the answers that it gives one after the other, the last one for ever: [status, body] or
[status, body, headers]; it is read anew for each request. A path that is not there is answered with 404, as the register
does. `FOLDER/asked.jsonl` gets a line for each request.
"""

import json
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def serve(folder: Path) -> None:
    times: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with (folder / "asked.jsonl").open("a") as log:
                log.write(json.dumps({"path": self.path, "at": time.monotonic()}) + "\n")
            answers = json.loads((folder / "answers.json").read_text()).get(self.path, [[404, None]])
            status, body, *headers = answers[min(times[self.path], len(answers) - 1)]
            times[self.path] += 1
            if status == 0:  # hangs up in the middle
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{")
                self.close_connection = True
                return
            content = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))

"""A collector as Segment's clients post to it: takes /v1/batch, stamps `receivedAt` and `sentAt`, writes event files.

python segment_receiver.py ROOT PORT_FILE
"""

import gzip
import json
import sys
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

ROOT = Path(sys.argv[1])
PORT_FILE = Path(sys.argv[2])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        batch = json.loads(body)
        now = datetime.now(UTC)
        received_at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        events = [{**one, "sentAt": batch["sentAt"], "receivedAt": received_at} for one in batch["batch"]]
        folder = ROOT / f"dt={now.date()}"
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(event) + "\n" for event in events)
        (folder / f"{uuid.uuid4()}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"success": true}')

    def log_message(self, *_: object) -> None:
        """Nothing: the test does not read it."""


server = HTTPServer(("127.0.0.1", 0), Receiver)
PORT_FILE.with_suffix(".new").write_text(str(server.server_port))
PORT_FILE.with_suffix(".new").rename(PORT_FILE)
server.serve_forever()

"""A real S3 server in a process of its own (moto's), which writes down every request."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import fs

from ingestion.event_store import S3Access

KEY = "planted-access-key"
SECRET = "planted-secret-key"
STARTS_WITHIN_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class S3Server:
    address: str
    log: Path

    @property
    def access(self) -> S3Access:
        return S3Access(endpoint=self.address, region="eu-north-1", access_key_id=KEY, secret_access_key=SECRET)

    def files(self) -> Any:
        """For the test to put files there."""
        return fs.S3FileSystem(
            endpoint_override=self.address.removeprefix("http://"),
            scheme="http",
            region="eu-north-1",
            access_key=KEY,
            secret_key=SECRET,
            allow_bucket_creation=True,
        )

    def put(self, path: str, content: bytes) -> None:
        with self.files().open_output_stream(path, compression=None) as stream:
            stream.write(content)

    def lists(self) -> int:
        """How many times a client has listed so far."""
        return sum("list-type=2" in line for line in self.log.read_text().splitlines())


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """The server until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "s3.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=out, stderr=out
        )
    try:
        _wait(f"http://127.0.0.1:{port}/")
        yield S3Server(address=f"http://127.0.0.1:{port}", log=log)
    finally:
        process.terminate()
        process.wait(10)


def _wait(address: str) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return

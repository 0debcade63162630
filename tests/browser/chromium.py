"""Finds Chromium, installs it where it may, or says what to install. Never skips."""

import os
import shutil
import subprocess
from functools import cache

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = "install Chromium (Debian and Ubuntu: `apt-get install chromium`), or set CHROMIUM to its program"


@cache
def find_chromium() -> str:
    """The program's path. Raises RuntimeError, with what to install, if there is none and none can be installed."""
    found = _there()
    if found:
        return found
    if os.environ.get("CHROMIUM"):
        raise RuntimeError(f"CHROMIUM names no program that can be run: {HOW}")
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
        found = _there()
    if not found:
        raise RuntimeError(f"the dashboard's tests need Chromium: {HOW}")
    return found


def _there() -> str | None:
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run(
            ["apt-get", "-qq", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"apt-get {arguments[0]} failed: {done.stderr[-500:]}\n{HOW}")

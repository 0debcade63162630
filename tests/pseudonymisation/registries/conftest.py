"""The register as a real process, and answers in the shape in which it gives them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class RegisterServer:
    """A running register. `answer` replaces everything that it knows."""

    folder: Path
    api_base: str

    def answer(self, answers: dict[str, list[list[Any]]]) -> None:
        content = {f"/enhetsregisteret/api/{path}": played for path, played in answers.items()}
        (self.folder / "answers.json").write_text(json.dumps(content))

    def asked(self) -> list[dict[str, Any]]:
        log = self.folder / "asked.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def register(tmp_path: Path) -> Iterator[RegisterServer]:
    folder = tmp_path / "register"
    folder.mkdir()
    (folder / "answers.json").write_text("{}")
    command = [sys.executable, "-m", "tests.pseudonymisation.registries.register_server", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield RegisterServer(folder=folder, api_base=f"http://127.0.0.1:{port}/enhetsregisteret/api")
    finally:
        process.kill()
        process.communicate()


def organisation(number: str, name: str = "EKSEMPEL RENHOLD AS", **changes: Any) -> dict[str, Any]:
    """What `/enheter/{number}` answers, shortened: fields, types and nesting are the register's, the organisation is made up."""
    base = "https://data.brreg.no/enhetsregisteret/api"
    return {
        "respons_klasse": "Enhet",
        "organisasjonsnummer": number,
        "navn": name,
        "organisasjonsform": {
            "kode": "AS",
            "beskrivelse": "Aksjeselskap",
            "_links": {"self": {"href": f"{base}/organisasjonsformer/AS"}},
        },
        "registreringsdatoEnhetsregisteret": "2019-05-06",
        "registrertIMvaregisteret": False,
        "naeringskode1": {"kode": "81.210", "beskrivelse": "Rengjøring av bygninger"},
        "harRegistrertAntallAnsatte": False,
        "forretningsadresse": {
            "land": "Norge",
            "landkode": "NO",
            "postnummer": "0150",
            "poststed": "OSLO",
            "adresse": ["Eksempelgata 1"],
            "kommune": "OSLO",
            "kommunenummer": "0301",
        },
        "institusjonellSektorkode": {"kode": "2100", "beskrivelse": "Private aksjeselskaper mv."},
        "registrertIForetaksregisteret": True,
        "registrertIStiftelsesregisteret": False,
        "registrertIFrivillighetsregisteret": False,
        "konkurs": False,
        "underAvvikling": False,
        "underTvangsavviklingEllerTvangsopplosning": False,
        "maalform": "Bokmål",
        "_links": {"self": {"href": f"{base}/enheter/{number}"}},
    } | changes


def struck_off(number: str) -> dict[str, Any]:
    """What it answers, with 200, for an organisation that has been deleted."""
    return {
        "respons_klasse": "SlettetEnhet",
        "organisasjonsnummer": number,
        "navn": "EKSEMPEL SOM VAR AS",
        "organisasjonsform": {"kode": "AS", "beskrivelse": "Aksjeselskap"},
        "slettedato": "2024-03-01",
    }


def branch(number: str) -> dict[str, Any]:
    """What `/underenheter/{number}` answers: no flags of insolvency."""
    return {
        "respons_klasse": "Underenhet",
        "organisasjonsnummer": number,
        "navn": "EKSEMPEL AVD OSLO",
        "organisasjonsform": {"kode": "BEDR", "beskrivelse": "Underenhet"},
        "overordnetEnhet": "310000001",
    }

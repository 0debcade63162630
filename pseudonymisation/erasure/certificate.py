"""Certificates: what was erased, held and scanned, signed with Ed25519 (RFC 8032) and chained by SHA-256.

A certificate holds no identifier of the person. Anybody with the public key can check one, and a folder of them.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from storage import LeiiError, Workspace, write_durably

FORMAT = "leii-erasure-certificate/1"

OUT_OF_REACH = (
    "Leii's app database, which erases by its own routine",
    "Stripe, which keeps what the law on payments demands of it",
    "partners to whom data were disclosed, who are told of the erasure",
    "backups outside LEII_HOME",
    "copies that readers made of published data",
)

COMPLAINTS = "Datatilsynet, www.datatilsynet.no; Leii: post@leii.no"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check of one certificate found; `problems` is empty for a good one."""

    certificate_id: str
    number: int
    problems: tuple[str, ...]


def public_key_file(workspace: Workspace) -> Path:
    return workspace.home.certificates / "public_key.pem"


def find_certificate(workspace: Workspace, certificate_id: str) -> Path | None:
    """The file of a certificate that has been issued already."""
    return next(iter(workspace.home.certificates.glob(f"*-{certificate_id}.json")), None)


def issue_certificate(workspace: Workspace, certificate_id: str, content: dict[str, Any]) -> Path:
    """Sign and write the next certificate of the chain. A certificate with this id that is there already stays as it is."""
    known = find_certificate(workspace, certificate_id)
    if known is not None:
        return known
    chain = _chain(workspace.home.certificates)
    body = {
        "format": FORMAT,
        "certificate_id": certificate_id,
        "number": len(chain) + 1,
        "previous_sha256": hashlib.sha256(chain[-1].read_bytes()).hexdigest() if chain else None,
        "issued_at": workspace.now.isoformat(),
        **content,
        "out_of_reach": list(OUT_OF_REACH),
        "complaints": COMPLAINTS,
    }
    key = Ed25519PrivateKey.from_private_bytes(workspace.keyring.zone_key("certificate", "signing"))
    signed = {"certificate": body, "signature": base64.b64encode(key.sign(_canonical(body))).decode()}
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_durably(public_key_file(workspace), public, mode=0o644)
    path = workspace.home.certificates / f"{body['number']:06d}-{certificate_id}.json"
    write_durably(path, json.dumps(signed, indent=2, ensure_ascii=False).encode() + b"\n", mode=0o644)
    return path


def verify_certificate(path: Path, public_key: Path) -> Verdict:
    """Check a certificate's signature and its place in the chain of the folder it lies in, offline.

    Raises LeiiError if the file is no certificate or the key no public key.
    """
    try:
        signed = json.loads(path.read_bytes())
        body, signature = signed["certificate"], base64.b64decode(signed["signature"], validate=True)
        number, certificate_id = int(body["number"]), str(body["certificate_id"])
    except (OSError, ValueError, KeyError, TypeError):
        raise LeiiError(f"{path} is not a certificate: it must be the JSON file that an erasure wrote") from None
    problems = [] if body.get("format") == FORMAT else [f"its format is not {FORMAT}"]
    try:
        _load_public_key(public_key).verify(signature, _canonical(body))
    except InvalidSignature:
        problems.append("the signature does not fit: the content was changed, or another key signed it")
    problems += _check_chain(path, body)
    return Verdict(certificate_id=certificate_id, number=number, problems=tuple(problems))


def summary_of(path: Path) -> list[str]:
    """What a certificate says, in plain words."""
    body = json.loads(path.read_bytes())["certificate"]
    erased = sum(entry["rows_deleted"] for entry in body["erased"])
    detached = sum(entry["rows_detached"] for entry in body["erased"])
    held = sum(entry["rows"] for entry in body["held"])
    scanned = sum(entry["columns"] for entry in body["scanned"])
    return [
        f"{erased} rows about the person were erased and {detached} rows that others need were detached from them.",
        f"{held} rows are held because the law demands it, the last until {body['held_until']}."
        if held
        else "Nothing is held.",
        f"{scanned} columns of {len(body['scanned'])} files were searched afterwards; nothing about the person was found.",
        "It does not speak of: " + "; ".join(body["out_of_reach"]) + ".",
    ]


def _check_chain(path: Path, body: dict[str, Any]) -> Sequence[str]:
    before = [other for other in _chain(path.parent) if other.name < path.name]
    number = int(body["number"])
    if number == 1:
        return () if body["previous_sha256"] is None else ("it is the first and names a certificate before it",)
    if len(before) != number - 1:
        return (f"the folder holds {len(before)} certificates before it, and there must be {number - 1}",)
    if hashlib.sha256(before[-1].read_bytes()).hexdigest() != body["previous_sha256"]:
        return ("the certificate before it was changed after this one was issued",)
    return ()


def _chain(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9][0-9][0-9][0-9][0-9][0-9]-*.json")) if folder.exists() else []


def _canonical(body: dict[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _load_public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError):
        raise LeiiError(
            f"{path} is not a public key in PEM; it lies beside the certificates as public_key.pem"
        ) from None
    if not isinstance(key, Ed25519PublicKey):
        raise LeiiError(f"{path} holds another kind of key than Ed25519")
    return key

"""Certificates: what was erased, held and scanned, signed with Ed25519 (RFC 8032) and chained by SHA-256.

A certificate holds no identifier of the person. Anybody with the public key can check one, and a folder of them.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from storage import KeyRing, LeiiError, Workspace, write_durably

FORMAT = "leii-erasure-certificate/1"
KEY_CHANGE_FORMAT = "leii-certificate-key-change/1"

OUT_OF_REACH = (
    "Leii's app database, which erases by its own routine",
    "Stripe, which keeps what the law on payments demands of it",
    "partners to whom data were disclosed, who are told of the erasure",
    "backups outside LEII_HOME",
    "copies that readers made of published data",
)

UNSENT_NOTICES = (
    "until a notice is handed over, it holds the names by which its recipient knows the person, encrypted, in the zone of "
    "notices: with what is held by law, the only place where something that identifies the person may be left"
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


def issue_certificates(workspace: Workspace, contents: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Sign and write the next certificates of the chain, from (certificate id, content).

    One whose id is there already stays as it is: it was written before a crash.
    """
    folder = workspace.home.certificates
    chain = _chain(folder)
    issued = {path.stem.partition("-")[2] for path in chain}
    key = _signing_key(workspace.keyring)
    write_durably(public_key_file(workspace), _pem(key.public_key()), mode=0o644)
    previous = hashlib.sha256(chain[-1].read_bytes()).hexdigest() if chain else None
    number = len(chain)
    for certificate_id, content in contents:
        if certificate_id in issued:
            continue
        number += 1
        body = {
            "format": FORMAT,
            "certificate_id": certificate_id,
            "number": number,
            "previous_sha256": previous,
            "issued_at": workspace.now.isoformat(),
            **content,
            "out_of_reach": list(OUT_OF_REACH),
            "complaints": COMPLAINTS,
        }
        signed = {"certificate": body, "signature": base64.b64encode(key.sign(_canonical(body))).decode()}
        written = json.dumps(signed, indent=2, ensure_ascii=False).encode() + b"\n"
        write_durably(folder / f"{number:06d}-{certificate_id}.json", written, mode=0o644)
        previous = hashlib.sha256(written).hexdigest()


def hand_over(workspace: Workspace, after: KeyRing) -> None:
    """Let the key of today and the next one sign for each other, so that whoever trusts one of them can trust both.

    Done again, it changes nothing. Without a certificate there is nothing to hand over.
    """
    chain = _chain(workspace.home.certificates)
    if not chain:
        return
    old, new = _signing_key(workspace.keyring), _signing_key(after)
    body = {
        "format": KEY_CHANGE_FORMAT,
        "last_number": len(chain),
        "old_public_key": _raw(old.public_key()).hex(),
        "new_public_key": _raw(new.public_key()).hex(),
    }
    content = _canonical(body)
    signed = {
        "key_change": body,
        "old_signature": base64.b64encode(old.sign(content)).decode(),
        "new_signature": base64.b64encode(new.sign(content)).decode(),
    }
    text = json.dumps(signed, indent=2).encode() + b"\n"
    name = f"key_change-{len(chain):06d}-{_raw(new.public_key()).hex()[:16]}.json"
    write_durably(workspace.home.certificates / name, text, mode=0o644)
    write_durably(public_key_file(workspace), _pem(new.public_key()), mode=0o644)


def verify_certificate(path: Path, public_key: Path) -> Verdict:
    """Check a certificate's signature and its place in the chain of the folder it lies in, offline.

    A certificate from before or after a change of keys is checked with the key of its time, if both keys have signed
    the change and it lies in the folder. Raises LeiiError if the file is no certificate or the key no public key.
    """
    try:
        signed = json.loads(path.read_bytes())
        body, signature = signed["certificate"], base64.b64decode(signed["signature"], validate=True)
        number, certificate_id = int(body["number"]), str(body["certificate_id"])
    except (OSError, ValueError, KeyError, TypeError):
        raise LeiiError(f"{path} is not a certificate: it must be the JSON file that an erasure wrote") from None
    problems = [] if body.get("format") == FORMAT else [f"its format is not {FORMAT}"]
    try:
        _signer_of(path.parent, _load_public_key(public_key), number).verify(signature, _canonical(body))
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
        *_told(body),
        *(
            f"A model of {model['purpose']} that was fitted before, to the person's payments too if they were among its "
            f"data, has nobody's row in it; it is replaced by one fitted without them and gone by {model['gone_by'][:10]}."
            for model in body.get("models", ())
        ),
        "It does not speak of: " + "; ".join(body["out_of_reach"]) + ".",
    ]


def _told(body: dict[str, Any]) -> list[str]:
    """Certificates from before there were notices say nothing of recipients."""
    told = body.get("recipients", [])
    said = {
        "waiting": "A notice waits to be handed over to {}; until then it holds the names by which they know the person.",
        "handed_over": "{} had been told when this was issued.",
        "unnamed": "{} could not be told: nothing in the sources named the person, and nobody else, to them any more.",
    }
    lines = []
    for state, sentence in said.items():
        names = [one["title"] or one["recipient"] for one in told if one["told"] == state]
        lines += [sentence.format(", ".join(names))] if names else []
    return lines or ["No recipient outside Leii was known to have been given anything about the person."] * (
        "recipients" in body
    )


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


def _signing_key(keyring: KeyRing) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(keyring.zone_key("certificate", "signing"))


def _signer_of(folder: Path, given: Ed25519PublicKey, number: int) -> Ed25519PublicKey:
    """The key that must have signed the certificate of this number, for somebody who trusts the given one.

    From the given key back to those before it, or on to those after it, and never back and then on: a key that was
    given up because somebody else has it cannot name another heir. One with two heirs has none.
    """
    changes = _key_changes(folder)
    start = key = _raw(given)
    for _ in changes:
        before = {old for old, new, last in changes if new == key and number <= last}
        key = before.pop() if len(before) == 1 else key
    for _ in changes if key == start else ():
        after = {new for old, new, last in changes if old == key and number > last}
        key = after.pop() if len(after) == 1 else key
    return Ed25519PublicKey.from_public_bytes(key)


def _key_changes(folder: Path) -> list[tuple[bytes, bytes, int]]:
    """(old key, new key, last certificate of the old) of every change in the folder that both keys have signed."""
    found = []
    for path in sorted(folder.glob("key_change-*.json")):
        try:
            signed = json.loads(path.read_bytes())
            body = signed["key_change"]
            old, new = bytes.fromhex(body["old_public_key"]), bytes.fromhex(body["new_public_key"])
            for key, signature in ((old, signed["old_signature"]), (new, signed["new_signature"])):
                Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature), _canonical(body))
            if body["format"] == KEY_CHANGE_FORMAT:
                found.append((old, new, int(body["last_number"])))
        except (ValueError, KeyError, TypeError, InvalidSignature):
            continue  # what is no change of keys vouches for no key
    return found


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


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

"""The residue scan: is anything of these people left under LEII_HOME? Decoded, and as raw bytes.

What is found is named by file, place and the line of the identifier, never by its value. Keyed hashes of an identifier
(pseudonyms, the vault's aliases) are by design not found.
"""

from pseudonymisation.scan.home import scan_home
from pseudonymisation.scan.identifiers import Identifier, identifiers_of, read_identifiers
from pseudonymisation.scan.report import Finding, ScanReport, Uncompacted, Unread

__all__ = [
    "Finding",
    "Identifier",
    "ScanReport",
    "Uncompacted",
    "Unread",
    "identifiers_of",
    "read_identifiers",
    "scan_home",
]

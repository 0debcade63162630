"""Whether the name that a provider goes by and a registered one can be the same. Pure."""

import re
import unicodedata

_LEGAL_FORMS = frozenset(
    [
        "as",
        "asa",
        "enk",
        "ans",
        "da",
        "nuf",
        "sa",
        "ba",
        "iks",
        "ks",
        "fli",
        "sti",
        "stiftelsen",
        "enkeltpersonforetak",
        "aksjeselskap",
        "selskap",
    ]
)


def names_agree(stated: str, registered: str) -> bool:
    """Every word of the one stands in the other; case, order, punctuation and the legal form do not count.

    "Hansen Rengjøring" agrees with "HANSEN RENGJØRING OG VAKTMESTER AS". A sole proprietor's firm holds the owner's
    family name (foretaksnavneloven § 2-2), so "Kari Hansen" agrees with "KARI HANSEN MALER".
    """
    one, other = _words(stated), _words(registered)
    return bool(one and other) and (one <= other or other <= one)


def _words(name: str) -> frozenset[str]:
    words = frozenset(re.findall(r"\w+", unicodedata.normalize("NFKC", name).casefold()))
    return words - _LEGAL_FORMS or words

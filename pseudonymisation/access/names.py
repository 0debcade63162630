"""A table's, a field's and a category's name on the page, in either language."""

from pseudonymisation.access.labels import CATEGORIES, FIELDS, TABLES
from pseudonymisation.access.labels_computed import COMPUTED_FIELDS, COMPUTED_TABLES
from pseudonymisation.access.wording import Language, text, word

RULE_TABLE = "int_rule_"
"""How the table of one fraud rule's hits begins; its rule's code follows."""

_NORWEGIAN = COMPUTED_FIELDS | FIELDS


def table_name(name: str, lang: Language) -> str:
    """Of a source's table, a purpose's copy of it (`stripe__charge`) or a model (`marts.fct_payment`)."""
    own = name.rsplit(".", 1)[-1]
    if own in COMPUTED_TABLES:
        return word(COMPUTED_TABLES, own, lang)
    if own.startswith(RULE_TABLE):
        return text("rule", lang, code=own.removeprefix(RULE_TABLE).upper())
    known = name.replace("__", ".").rsplit(".", 1)
    system = "Stripe: " if known[0].endswith("stripe") and len(known) > 1 else ""
    return system + word(TABLES, known[-1], lang) if known[-1] in TABLES else known[-1].replace("_", " ")


def field_name(name: str, lang: Language) -> str:
    """A field's label; of a path each part, but for what only numbers a list."""
    return " › ".join(_part(part, lang) for part in parts_of(name)) or name


def parts_of(name: str) -> list[str]:
    """The parts of a path that say something."""
    return [part for part in name.split(".") if not part.isdigit() and part not in ("data", "*")]


def has_norwegian(part: str) -> bool:
    return part in _NORWEGIAN


def category_name(category: str, lang: Language) -> str:
    """By the closest category that has a word."""
    for start, nb, en in CATEGORIES:
        if category.startswith(start):
            return nb if lang == "nb" else en
    return category


def _part(part: str, lang: Language) -> str:
    if lang == "nb" and part in _NORWEGIAN:
        return _NORWEGIAN[part]
    words = part.replace("_", " ")
    return words[:1].upper() + words[1:]

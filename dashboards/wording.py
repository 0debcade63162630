"""How figures, places and reasons are written, the same on every page and in every notebook."""

from datetime import date, datetime
from typing import Final

UNKNOWN_PLACE: Final = "unknown"
ALL_PLACES: Final = "all"
NOTHING: Final = "–"

SUPPRESSION_REASONS: Final = {
    "too_few_people": "Withheld: too few people",
    "p_percent": "Withheld: would tell one provider's turnover",
    "dominance": "Withheld: two providers have nearly all the turnover",
    "would_reveal_a_part": "Withheld: would give a withheld part away",
}
PUBLISHED: Final = "Published"

_SMALL_WORDS = {"og", "i", "på"}


def whole(value: float | int | None) -> str:
    """A count, with commas between thousands; a dash for none."""
    return NOTHING if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share of 1 as per cent with one decimal."""
    return NOTHING if value is None else f"{100 * value:.1f} %"


def ratio(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.2f}"


def nok(value: float | int | None) -> str:
    """An amount in whole NOK."""
    return NOTHING if value is None else f"NOK {value:,.0f}"


def minutes(value: float | None) -> str:
    """A length of time given in minutes: `45 min`, `3 h 20 min`, `2 d 4 h`."""
    if value is None:
        return NOTHING
    total = round(value)
    if total < 60:
        return f"{total} min"
    if total < 48 * 60:
        return f"{total // 60} h {total % 60} min" if total % 60 else f"{total // 60} h"
    return f"{total // 1440} d {total % 1440 // 60} h"


def day(value: date | None) -> str:
    return NOTHING if value is None else f"{value.day} {value:%b %Y}"


def days(first: date, last: date) -> str:
    """A period: `17 Aug – 8 Nov 2026`, with both years where they differ."""
    start = f"{first.day} {first:%b}" if first.year == last.year else day(first)
    return f"{start} – {day(last)}"


def month(value: date | None) -> str:
    return NOTHING if value is None else f"{value:%b %Y}"


def moment(value: datetime | None) -> str:
    return NOTHING if value is None else f"{value.day} {value:%b %Y, %H:%M} UTC"


def age(hours: float) -> str:
    """How long ago, to the unit that says enough."""
    if hours < 1:
        return "less than an hour"
    if hours < 48:
        return _count(int(hours), "hour")
    return _count(int(hours // 24), "day")


def place(name: str | None) -> str:
    """A municipality as it is written in a text; the register has it in capitals."""
    if name is None or name == UNKNOWN_PLACE:
        return "Unknown place"
    if name == ALL_PLACES:
        return "All municipalities"
    words = name.title().split(" ")
    return " ".join(word.lower() if word.lower() in _SMALL_WORDS else word for word in words)


def retention(days: int) -> str:
    """A time of keeping in years where it is whole ones, else in days."""
    years = days / 365.25
    rounded = round(years)
    return f"{rounded} years" if rounded > 1 and abs(years - rounded) * 365.25 < 2 else _count(days, "day")


def suppression(reason: str | None) -> str:
    """Why a cell is empty, or that it is published. An unknown reason is shown as its code."""
    return PUBLISHED if reason is None else SUPPRESSION_REASONS.get(reason, f"Withheld: {reason}")


def words(code: str) -> str:
    """A code such as `block_and_review` as words."""
    text = code.replace("_", " ")
    return text[:1].upper() + text[1:]


def short_id(identifier: str) -> str:
    """The first eight characters of a pseudonym or of what follows a flag's prefix: enough to tell rows apart."""
    return identifier.removeprefix("flag_")[:8]


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"

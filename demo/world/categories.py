"""What is sold: service categories with their seasons, prices, hours and titles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.world.randomness import Floats


@dataclass(frozen=True, kw_only=True)
class Category:
    """A kind of service. `season` weighs January to December, `weekend` a Saturday or Sunday against a weekday."""

    category_id: int
    slug: str
    name_nb: str
    name_en: str
    weight: float
    unit: str
    price_nok: float
    hours: float
    season: tuple[float, ...]
    weekend: float
    titles: tuple[str, ...]


_FLAT = (1.0,) * 12
_GARDEN = (0.1, 0.15, 0.5, 1.5, 2.3, 2.1, 1.6, 1.5, 1.3, 0.9, 0.4, 0.1)
_WINTER = (3.2, 3.0, 1.8, 0.4, 0.02, 0.01, 0.01, 0.01, 0.02, 0.2, 1.3, 2.9)
_MOVING = (0.7, 0.7, 0.8, 0.9, 1.1, 1.6, 1.4, 1.9, 1.3, 0.8, 0.6, 0.6)
_SUMMER = (0.4, 0.4, 0.7, 1.2, 1.8, 1.9, 1.5, 1.4, 1.0, 0.7, 0.5, 0.4)
_XMAS = (0.9, 0.8, 1.0, 1.1, 1.1, 1.0, 0.7, 0.9, 1.0, 1.0, 1.2, 1.9)
_SCHOOL = (1.4, 1.4, 1.3, 1.3, 1.5, 0.5, 0.1, 0.8, 1.2, 1.2, 1.3, 0.9)


def _category(
    category_id: int, slug: str, names: tuple[str, str], weight: float, unit: str, price_nok: float, hours: float,
    season: tuple[float, ...], weekend: float, titles: tuple[str, ...],
) -> Category:  # fmt: skip
    return Category(
        category_id=category_id, slug=slug, name_nb=names[0], name_en=names[1], weight=weight, unit=unit,
        price_nok=price_nok, hours=hours, season=season, weekend=weekend, titles=titles,
    )  # fmt: skip


CATEGORIES: tuple[Category, ...] = (
    _category(1, "cleaning", ("Rengjøring", "Cleaning"), 24, "hour", 350, 3, _XMAS, 0.5, ("Fast vask", "Flyttevask", "Rundvask")),
    _category(2, "moving", ("Flytting", "Moving"), 10, "hour", 520, 4, _MOVING, 1.5, ("Flyttehjelp", "Bærehjelp med varebil")),
    _category(3, "gardening", ("Hagearbeid", "Gardening"), 12, "hour", 380, 3, _GARDEN, 1.3, ("Plenklipping", "Hekklipping")),
    _category(4, "snow_clearing", ("Snømåking", "Snow clearing"), 7, "job", 450, 1, _WINTER, 1.1, ("Måking av innkjørsel",)),
    _category(5, "handyman", ("Småjobber", "Handyman"), 12, "hour", 460, 2, _FLAT, 1.0, ("Montering av møbler", "Småreparasjoner")),
    _category(6, "painting", ("Maling", "Painting"), 7, "hour", 490, 6, _SUMMER, 0.7, ("Maling av rom", "Maling av fasade")),
    _category(7, "window_cleaning", ("Vinduspuss", "Window cleaning"), 6, "job", 900, 2, _SUMMER, 0.6, ("Vinduspuss ute og inne",)),
    _category(8, "pet_care", ("Dyrepass", "Pet care"), 6, "job", 250, 1, _MOVING, 1.6, ("Lufting av hund", "Kattepass i ferien")),
    _category(9, "babysitting", ("Barnepass", "Babysitting"), 6, "hour", 190, 4, _XMAS, 1.9, ("Barnevakt på kveldstid",)),
    _category(10, "tutoring", ("Leksehjelp", "Tutoring"), 5, "hour", 330, 1.5, _SCHOOL, 0.5, ("Leksehjelp i matte", "Norskhjelp")),
    _category(11, "it_help", ("Datahjelp", "IT help"), 3, "hour", 550, 1.5, _FLAT, 0.6, ("Hjelp med PC og nett",)),
    _category(12, "hairdresser", ("Frisør hjemme", "Hairdresser at home"), 2, "job", 690, 1, _XMAS, 0.9, ("Klipp hjemme hos deg",)),
)  # fmt: skip


def field(name: str) -> Floats:
    """One numeric field of all categories, in the order of CATEGORIES."""
    return np.array([getattr(category, name) for category in CATEGORIES], dtype=np.float64)


def season_matrix() -> Floats:
    """Categories by month (12 × 12), each row with mean 1."""
    seasons = np.array([category.season for category in CATEGORIES], dtype=np.float64)
    normalised: Floats = seasons / seasons.mean(axis=1, keepdims=True)
    return normalised

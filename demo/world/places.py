"""Where the made-up people live: real postal codes and towns, so that municipalities can be looked up; positions are rough."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from demo.world.randomness import Floats, Ints, Texts


class Place(NamedTuple):
    """A postal code: the supply region that it belongs to, how many live there, and how its prices and supply differ."""

    postal_code: str
    city: str
    latitude: float
    longitude: float
    region: int
    weight: float
    price_factor: float
    supply_factor: float


# region: name, price factor, supply factor; then postal code, town, latitude, longitude, weight
_REGIONS: list[tuple[str, float, float, list[tuple[str, str, float, float, float]]]] = [
    (
        "Oslo", 1.18, 1.25, [
            ("0171", "OSLO", 59.921, 10.739, 5), ("0250", "OSLO", 59.911, 10.725, 4), ("0350", "OSLO", 59.925, 10.727, 5),
            ("0456", "OSLO", 59.927, 10.741, 4), ("0556", "OSLO", 59.926, 10.762, 6), ("0650", "OSLO", 59.909, 10.790, 5),
            ("0750", "OSLO", 59.948, 10.660, 3), ("0850", "OSLO", 59.953, 10.735, 3), ("0955", "OSLO", 59.958, 10.880, 4),
            ("1055", "OSLO", 59.945, 10.885, 3), ("1150", "OSLO", 59.874, 10.790, 3),
        ],
    ),
    (
        "Viken", 1.08, 1.0, [
            ("1337", "SANDVIKA", 59.890, 10.526, 4), ("1344", "HASLUM", 59.917, 10.560, 3), ("1400", "SKI", 59.719, 10.835, 3),
            ("2003", "LILLESTRØM", 59.956, 11.050, 3), ("2013", "SKJETTEN", 59.960, 11.003, 2), ("3015", "DRAMMEN", 59.744, 10.204, 3),
            ("3044", "DRAMMEN", 59.730, 10.230, 2), ("1531", "MOSS", 59.434, 10.658, 2), ("1605", "FREDRIKSTAD", 59.211, 10.938, 3),
            ("1712", "GRÅLUM", 59.290, 11.060, 1),
        ],
    ),
    (
        "Vestfold og Telemark", 0.97, 0.85, [
            ("3111", "TØNSBERG", 59.267, 10.407, 2.5), ("3187", "HORTEN", 59.417, 10.483, 1), ("3210", "SANDEFJORD", 59.131, 10.216, 2),
            ("3601", "KONGSBERG", 59.669, 9.650, 1), ("3717", "SKIEN", 59.205, 9.600, 1.5), ("3840", "SELJORD", 59.487, 8.630, 0.3),
        ],
    ),
    (
        "Innlandet", 0.92, 0.8, [
            ("2317", "HAMAR", 60.795, 11.068, 2), ("2406", "ELVERUM", 60.882, 11.562, 1), ("2609", "LILLEHAMMER", 61.115, 10.466, 1.5),
            ("2815", "GJØVIK", 60.795, 10.692, 1), ("2680", "VÅGÅ", 61.876, 9.098, 0.3),
        ],
    ),
    (
        "Agder", 0.95, 0.85, [
            ("4614", "KRISTIANSAND S", 58.147, 7.996, 3), ("4630", "KRISTIANSAND S", 58.130, 7.960, 2),
            ("4836", "ARENDAL", 58.461, 8.772, 1.5),
            ("4790", "LILLESAND", 58.249, 8.378, 0.5),
        ],
    ),
    (
        "Stavanger", 1.06, 0.9, [
            ("4006", "STAVANGER", 58.970, 5.733, 4), ("4021", "STAVANGER", 58.945, 5.700, 3), ("4056", "TANANGER", 58.931, 5.580, 1),
            ("4306", "SANDNES", 58.852, 5.735, 3), ("5528", "HAUGESUND", 59.414, 5.268, 1.5),
        ],
    ),
    (
        "Bergen", 1.05, 1.0, [
            ("5003", "BERGEN", 60.395, 5.325, 4), ("5033", "BERGEN", 60.402, 5.330, 3), ("5055", "BERGEN", 60.378, 5.345, 3),
            ("5144", "FYLLINGSDALEN", 60.350, 5.290, 2), ("5231", "PARADIS", 60.340, 5.345, 2), ("5353", "STRAUME", 60.360, 5.120, 1),
            ("5411", "STORD", 59.780, 5.500, 0.8), ("5700", "VOSS", 60.628, 6.414, 0.8),
        ],
    ),
    (
        "Møre og Sogn", 0.94, 0.65, [
            ("6002", "ÅLESUND", 62.472, 6.150, 2), ("6413", "MOLDE", 62.737, 7.160, 1), ("6508", "KRISTIANSUND N", 63.110, 7.728, 0.8),
            ("6800", "FØRDE", 61.452, 5.857, 0.6), ("6868", "GAUPNE", 61.405, 7.293, 0.2),
        ],
    ),
    (
        "Trondheim", 1.0, 1.05, [
            ("7011", "TRONDHEIM", 63.430, 10.395, 4), ("7030", "TRONDHEIM", 63.420, 10.400, 4), ("7046", "TRONDHEIM", 63.430, 10.440, 2),
            ("7079", "FLATÅSEN", 63.375, 10.345, 2), ("7500", "STJØRDAL", 63.470, 10.918, 1), ("7600", "LEVANGER", 63.746, 11.300, 0.7),
            ("7713", "STEINKJER", 64.015, 11.495, 0.6),
        ],
    ),
    (
        "Nordland", 0.98, 0.6, [
            ("8006", "BODØ", 67.283, 14.405, 2), ("8013", "BODØ", 67.270, 14.430, 1), ("8514", "NARVIK", 68.438, 17.427, 0.7),
            ("8622", "MO I RANA", 66.313, 14.142, 0.7), ("8201", "FAUSKE", 67.260, 15.395, 0.3),
        ],
    ),
    (
        "Tromsø og Finnmark", 1.1, 0.55, [
            ("9007", "TROMSØ", 69.650, 18.955, 2), ("9011", "TROMSØ", 69.665, 18.940, 1.5), ("9405", "HARSTAD", 68.798, 16.541, 0.8),
            ("9510", "ALTA", 69.968, 23.272, 0.7), ("9600", "HAMMERFEST", 70.663, 23.682, 0.4), ("9800", "VADSØ", 70.074, 29.750, 0.2),
            ("9950", "VARDØ", 70.370, 31.110, 0.1),
        ],
    ),
]  # fmt: skip

PLACES: list[Place] = [
    Place(code, city, latitude, longitude, region, weight, price, supply)
    for region, (_, price, supply, towns) in enumerate(_REGIONS)
    for code, city, latitude, longitude, weight in towns
]
REGION_COUNT = len(_REGIONS)


def column(name: str) -> Texts:
    """One field of all places, in the order of PLACES, as objects."""
    return np.array([getattr(place, name) for place in PLACES], dtype=object)


def numbers(name: str) -> Floats:
    """One numeric field of all places."""
    return np.array([getattr(place, name) for place in PLACES], dtype=np.float64)


def regions() -> Ints:
    """The supply region of each place."""
    return np.array([place.region for place in PLACES], dtype=np.int64)

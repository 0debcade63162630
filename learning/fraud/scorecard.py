"""A scorecard: points for each feature's value, added up to log odds, so that a score carries its own exact reasons.

In an additive model a feature's points, less their mean over the data that it was fitted to, are its Shapley value: what this
value says, compared with an ordinary payment (Lundberg and Lee, "A unified approach to interpreting model predictions", 2017).
dbt adds up the same points in SQL (marts/fct_transaction_score).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Features = Mapping[str, Floats]
"""One value a payment, by feature; NaN where there is none."""

MOST_LOG_ODDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One feature's points: `points[k]` for edges[k - 1] <= value < edges[k], `missing` for no value."""

    edges: tuple[float, ...]
    points: tuple[float, ...]
    missing: float


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """Log odds of fraud = intercept + the points of every feature. A feature without a shape says nothing."""

    intercept: float
    shapes: Mapping[str, Shape]


def contributions(card: Scorecard, features: Features) -> dict[str, Floats]:
    """Points of every payment by feature. Raises KeyError for a feature of the scorecard that is not given."""
    return {name: _points(shape, features[name]) for name, shape in card.shapes.items()}


def log_odds(card: Scorecard, features: Features) -> Floats:
    """The sum of the points. Raises KeyError as `contributions`."""
    count = len(next(iter(features.values())))
    total: Floats = np.full(count, card.intercept)
    for points in contributions(card, features).values():
        total += points
    return total


def probability(card: Scorecard, features: Features) -> Floats:
    """The calibrated probability of fraud."""
    return _sigmoid(log_odds(card, features))


def _points(shape: Shape, values: Floats) -> Floats:
    found: Floats = np.where(
        np.isnan(values),
        shape.missing,
        np.asarray(shape.points)[np.searchsorted(shape.edges, np.nan_to_num(values), side="right")],
    )
    return found


def _sigmoid(values: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(values, -MOST_LOG_ODDS, MOST_LOG_ODDS)))
    return found

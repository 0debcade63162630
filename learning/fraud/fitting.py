"""Fitting a scorecard: a generalised additive model by boosting, calibrated.

Trees of one feature each are boosted (Lou, Caruana, Gehrke, "Intelligible models for classification and regression", KDD
2012), several times on bootstrap samples, and averaged; their sum is a step function of each feature. The log odds are
calibrated by Platt's sigmoid ("Probabilistic outputs for support vector machines", 1999) on predictions for customers that
the fit has not seen; a sigmoid is linear in the log odds, so the calibrated model is a scorecard again.

No range of a value has fewer than `LEAST_ROWS` payments, and its bounds are rounded to three digits: no one payment can be
read from what is kept of a fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from learning.fraud.scorecard import Bools, Features, Floats, Scorecard, Shape, log_odds

LEAST_ROWS = 20
FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How a scorecard is fitted. `rounds` trees of at most `leaves` leaves on one feature each; mean of `bags` fits."""

    learning_rate: float = 0.05
    rounds: int = 200
    leaves: int = 4
    least_rows: int = LEAST_ROWS
    shrinkage: float = 1.0
    bags: int = 4


def fit_scorecard(
    features: Features,
    is_fraud: Bools,
    groups: npt.NDArray[np.int64],
    fitting: Fitting,
) -> Scorecard:
    """Fit and calibrate. `groups`: whose payment it is, so that calibration tells apart what is one customer's own.

    Raises ValueError unless fraud and honest payments of at least two customers each are there.
    """
    for kind in (True, False):
        if len(np.unique(groups[is_fraud == kind])) < 2:
            raise ValueError("fraud and honest payments of two customers each are needed")
    # The other cores build other purposes: several threads would wait for one another, spinning, and take ten times as long.
    with threadpool_limits(1):
        raw = _fit(features, is_fraud, fitting)
        slope, offset = _calibration(features, is_fraud, groups, fitting)
    shapes = {
        name: Shape(
            edges=shape.edges,
            points=tuple(slope * point for point in shape.points),
            missing=slope * shape.missing,
        )
        for name, shape in raw.shapes.items()
    }
    return Scorecard(intercept=slope * raw.intercept + offset, shapes=shapes)


def bin_edges(values: Floats) -> tuple[float, ...]:
    """Bounds of ranges of nearly equal weight, finer at both ends, where fraud is; no range has under LEAST_ROWS values.

    The most common value (no report, no decline) is left out of a second division, so that it does not hide the others.
    """
    there = np.sort(values[~np.isnan(values)])
    if not len(there):
        return ()
    distinct, counts = np.unique(there, return_counts=True)
    common = counts.argmax()
    found = {*_quantiles(there, 48), *_quantiles(there[there != distinct[common]], 32)}
    found |= {float(value) for value in distinct[common : common + 2]}
    edges: list[float] = []
    below = 0
    for edge in sorted({float(f"{value:.3g}") for value in found}):
        position = int(np.searchsorted(there, edge, side="left"))
        if position - below >= LEAST_ROWS and len(there) - position >= LEAST_ROWS:
            edges.append(edge)
            below = position
    return tuple(edges)


def _quantiles(values: Floats, parts: int) -> list[float]:
    if len(values) < 2 * LEAST_ROWS:
        return []
    tails = [2.0**-power for power in range(6, 30) if len(values) * 2.0**-power >= LEAST_ROWS]
    at = np.concatenate([np.linspace(0, 1, parts + 1)[1:-1], tails, [1 - tail for tail in tails]])
    return [float(value) for value in np.quantile(values, at, method="inverted_cdf")]


def _fit(features: Features, is_fraud: Bools, fitting: Fitting) -> Scorecard:
    """An uncalibrated scorecard whose intercept is the mean of its log odds."""
    edges = {name: found for name, values in features.items() if (found := bin_edges(values))}
    if not edges:
        raise ValueError("no feature has two ranges of values")
    names = list(edges)
    codes = np.column_stack([_codes(features[name], edges[name]) for name in names])
    tables = [_one_fit(codes, is_fraud, [edges[name] for name in names], fitting, bag) for bag in range(fitting.bags)]
    points = [np.mean([table[column] for table in tables], axis=0) for column in range(len(names))]
    intercept = float(np.log(is_fraud.mean() / (1 - is_fraud.mean())))
    shapes = {}
    for name, column, own in zip(names, codes.T, points, strict=True):
        rows = np.where(np.isnan(column), len(own) - 1, column).astype(np.int64)
        centred = own - own[rows].mean()
        shapes[name] = Shape(edges=edges[name], points=tuple(centred[:-1].tolist()), missing=float(centred[-1]))
    return Scorecard(intercept=intercept, shapes=shapes)


def _one_fit(
    codes: Floats, is_fraud: Bools, edges: Sequence[tuple[float, ...]], fitting: Fitting, bag: int
) -> list[Floats]:
    """Points of each feature by code, the last for no value: what the fit answers when only that feature varies."""
    weights = np.random.default_rng(bag).poisson(1, len(is_fraud)) if fitting.bags > 1 else np.ones(len(is_fraud))
    model = HistGradientBoostingClassifier(
        interaction_cst="no_interactions", learning_rate=fitting.learning_rate, max_iter=fitting.rounds,
        max_leaf_nodes=fitting.leaves, min_samples_leaf=fitting.least_rows, l2_regularization=fitting.shrinkage,
        early_stopping=False, random_state=bag,
    )  # fmt: skip
    model.fit(codes[weights > 0], is_fraud[weights > 0], sample_weight=weights[weights > 0])
    base = np.zeros(codes.shape[1])
    varied = []
    for column, own in enumerate(edges):
        rows = np.tile(base, (len(own) + 2, 1))
        rows[:, column] = [*range(len(own) + 1), np.nan]
        varied.append(rows)
    answers = model.decision_function(np.vstack([base, *varied]))
    ends = np.cumsum([1, *(len(rows) for rows in varied)])
    return [answers[start:end] - answers[0] for start, end in pairwise(ends)]


def _calibration(
    features: Features, is_fraud: Bools, groups: npt.NDArray[np.int64], fitting: Fitting
) -> tuple[float, float]:
    """Slope and offset of Platt's sigmoid over predictions for groups that the fit has not seen."""
    count = min(FOLDS, len(np.unique(groups)), len(np.unique(groups[is_fraud])))
    predicted = np.zeros(len(is_fraud))
    for seen, unseen in GroupKFold(count, shuffle=True, random_state=0).split(predicted, groups=groups):
        if not is_fraud[seen].any():
            return 1.0, 0.0
        card = _fit({name: values[seen] for name, values in features.items()}, is_fraud[seen], fitting)
        predicted[unseen] = log_odds(card, {name: values[unseen] for name, values in features.items()})
    sigmoid = LogisticRegression(C=1e6).fit(predicted.reshape(-1, 1), is_fraud)
    slope = float(sigmoid.coef_[0, 0])
    return (slope, float(sigmoid.intercept_[0])) if slope > 0 else (1.0, 0.0)


def _codes(values: Floats, edges: tuple[float, ...]) -> Floats:
    found: Floats = np.where(np.isnan(values), np.nan, np.searchsorted(edges, values, side="right").astype(np.float64))
    return found

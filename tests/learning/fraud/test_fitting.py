"""A scorecard adds up, is calibrated, finds what is planted, and keeps nobody's value."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from learning.fraud import fitting
from learning.fraud.fitting import LEAST_ROWS, Fitting, bin_edges, fit_scorecard
from learning.fraud.scorecard import Bools, Features, Floats, Scorecard, Shape, contributions, log_odds, probability

FITTING = Fitting(rounds=60, bags=2)


def payments(count: int, seed: int) -> tuple[Features, Bools, np.ndarray]:
    """Fraud is likelier with a high ratio and where the risk is known; `noise` says nothing."""
    rng = np.random.default_rng(seed)
    ratio, noise = rng.gamma(2, 0.5, count), rng.normal(size=count)
    risk = np.where(rng.random(count) < 0.3, np.nan, np.where(rng.random(count) < 0.9, 0.0, rng.random(count)))
    odds = -5 + 1.5 * ratio + 4 * np.nan_to_num(risk)
    is_fraud = rng.random(count) < 1 / (1 + np.exp(-odds))
    return {"ratio": ratio, "risk": risk, "noise": noise}, is_fraud, rng.integers(0, count // 4, count)


@pytest.fixture(scope="module")
def card() -> Scorecard:
    return fit_scorecard(*payments(6_000, 1), FITTING)


def test_the_points_of_the_features_add_up_to_the_score(card: Scorecard) -> None:
    features, _, _ = payments(500, 2)
    parts = contributions(card, features)
    assert set(parts) == {"ratio", "risk", "noise"}
    assert np.allclose(card.intercept + sum(parts.values()), log_odds(card, features))
    assert np.allclose(probability(card, features), 1 / (1 + np.exp(-log_odds(card, features))))


def test_a_features_points_say_what_this_value_says_compared_with_an_ordinary_payment(card: Scorecard) -> None:
    features, _, _ = payments(6_000, 1)
    assert all(abs(points.mean()) < 1e-9 for points in contributions(card, features).values())
    one = contributions(card, {"ratio": np.array([0.1, 4.0]), "risk": np.array([0.0, 0.9]), "noise": np.zeros(2)})
    assert one["ratio"][1] > 1 > one["ratio"][0]
    assert one["risk"][1] > 1 > one["risk"][0]
    assert np.abs(one["noise"]).max() < 0.5


def test_of_a_hundred_payments_scored_at_a_tenth_about_ten_are_fraud(card: Scorecard) -> None:
    features, is_fraud, _ = payments(40_000, 3)
    scores = probability(card, features)
    for low, high in ((0.02, 0.1), (0.1, 0.3), (0.3, 0.6)):
        rows = (scores >= low) & (scores < high)
        assert rows.sum() > 200
        assert abs(is_fraud[rows].mean() - scores[rows].mean()) < 0.06


def test_a_fit_leaves_the_other_cores_to_the_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(features: Features, is_fraud: Bools, settings: Fitting) -> Scorecard:
        at_once.update(pool["num_threads"] for pool in threadpool_info())
        return fit_once(features, is_fraud, settings)

    fit_once, at_once = fitting._fit, set[int]()
    monkeypatch.setattr(fitting, "_fit", fit)
    fit_scorecard(*payments(400, 5), Fitting(rounds=2, bags=1))
    assert at_once == {1}


def test_no_range_of_a_scorecard_is_one_persons() -> None:
    values: Floats = np.random.default_rng(4).lognormal(6, 1, 3_000)
    edges = bin_edges(values)
    ranges = np.bincount(np.searchsorted(edges, values, side="right"))
    assert len(ranges) > 30
    assert ranges.min() >= LEAST_ROWS
    assert all(edge == float(f"{edge:.3g}") for edge in edges)


def test_a_rare_value_beside_a_common_one_has_a_range_of_its_own() -> None:
    values = np.concatenate([np.zeros(10_000), np.linspace(0.01, 1, 100)])
    edges = bin_edges(values)
    assert len(edges) >= 3
    assert edges[0] <= 0.02


def test_a_feature_without_a_value_or_with_one_value_says_nothing() -> None:
    features, is_fraud, customers = payments(2_000, 5)
    more = {**features, "never": np.full(2_000, np.nan), "always": np.ones(2_000)}
    assert set(fit_scorecard(more, is_fraud, customers, FITTING).shapes) == set(features)


def test_the_same_payments_give_the_same_scorecard() -> None:
    assert fit_scorecard(*payments(1_500, 6), FITTING) == fit_scorecard(*payments(1_500, 6), FITTING)


def test_fraud_of_one_customer_alone_is_nothing_to_learn_from() -> None:
    features, is_fraud, customers = payments(500, 7)
    with pytest.raises(ValueError, match="two customers"):
        fit_scorecard(features, is_fraud, np.where(is_fraud, 1, customers + 2), FITTING)


def test_a_value_on_a_bound_belongs_to_the_range_above_it() -> None:
    card = Scorecard(intercept=0.0, shapes={"ratio": Shape(edges=(1.0, 2.0), points=(-1.0, 0.5, 2.0), missing=0.25)})
    values = np.array([0.99, 1.0, 1.99, 2.0, np.nan])
    assert contributions(card, {"ratio": values})["ratio"].tolist() == [-1.0, 0.5, 0.5, 2.0, 0.25]

"""The ranking learns what customers choose by, from pairs, and keeps places for newcomers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.ranking import LEAST_REQUESTS, fit, pairs, scores, with_newcomers

FEATURES = 3
TASTE = np.array([1.5, -1.0, 0.0])


def market(requests: int, seed: int = 1, size: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Candidates by a known taste: features, label, request, and the utility that the customers went by."""
    rng = np.random.default_rng(seed)
    x = rng.normal([10, 0, 5], [2, 1, 1], (requests * size, FEATURES))
    utility = (x - [10, 0, 5]) / [2, 1, 1] @ TASTE
    request = np.repeat(np.arange(requests), size)
    chosen = (utility + rng.gumbel(0, 1, len(utility))).reshape(requests, size).argmax(axis=1)
    label = np.zeros((requests, size))
    label[np.arange(requests), chosen] = 1
    return x, label.ravel(), request, utility


def test_a_known_taste_is_found_again() -> None:
    x, label, request, utility = market(1_500)
    learnt = fit(x, label, request)
    assert learnt.weight is not None
    assert learnt.requests == 1_500
    assert learnt.weight / np.linalg.norm(learnt.weight) == pytest.approx(TASTE / np.linalg.norm(TASTE), abs=0.08)
    assert np.corrcoef(scores(x, learnt), utility)[0, 1] > 0.99


def test_what_is_the_same_for_all_of_a_request_cannot_mislead() -> None:
    x, label, request, _ = market(400)
    season = np.random.default_rng(2).normal(0, 50, 400)[request]
    learnt = fit(np.column_stack([x, season]), label, request)
    assert learnt.weight is not None
    assert learnt.weight[-1] == pytest.approx(0, abs=1e-9)


def test_what_is_not_known_counts_as_the_mean() -> None:
    x, label, request, _ = market(400)
    x[::7, 0] = np.nan
    learnt = fit(x, label, request)
    filled = np.where(np.isnan(x), learnt.mean, x)
    assert scores(x, learnt) == pytest.approx(scores(filled, learnt))
    assert learnt.mean[0] == pytest.approx(np.nanmean(x[:, 0]))


def test_too_little_teaches_nothing() -> None:
    x, label, request, _ = market(LEAST_REQUESTS - 1)
    assert fit(x, label, request).weight is None
    assert fit(x[:0], label[:0], request[:0]).weight is None
    x, label, request, _ = market(LEAST_REQUESTS)
    assert fit(x, label, request).weight is not None


def test_the_same_candidates_give_the_same_weights_to_the_bit() -> None:
    x, label, request, _ = market(300)
    first, second = (fit(x.copy(), label.copy(), request.copy()) for _ in range(2))
    assert first.weight is not None
    assert second.weight is not None
    assert first.weight.tobytes() == second.weight.tobytes()


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1.0, 0.01, 0.0, -0.4])), max_size=40))
def test_pairs_are_all_of_one_request_with_different_labels(rows: list[tuple[int, float]]) -> None:
    rows.sort(key=lambda row: row[0])
    request, label = np.array([r for r, _ in rows], dtype=np.int64), np.array([v for _, v in rows])
    better, worse = pairs(label, request)
    expected = {
        (i, j)
        for i in range(len(rows))
        for j in range(len(rows))
        if rows[i][0] == rows[j][0] and rows[i][1] > rows[j][1]
    }
    assert sorted(zip(better.tolist(), worse.tolist(), strict=True)) == sorted(expected)


candidates = st.lists(
    st.tuples(st.integers(0, 3), st.floats(-5, 5, allow_nan=False), st.booleans()), min_size=1, max_size=60
)


@given(rows=candidates, step=st.integers(2, 6))
def test_newcomers_keep_their_places_and_everyone_else_their_order(
    rows: list[tuple[int, float, bool]], step: int
) -> None:
    request = np.array([row[0] for row in rows], dtype=np.int64)
    score, newcomer = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    places = with_newcomers(score, newcomer, request, step)
    for one in set(request.tolist()):
        mine = request == one
        assert sorted(places[mine]) == list(range(1, mine.sum() + 1))
        for group in (newcomer[mine], ~newcomer[mine]):
            by_place = score[mine][group][np.argsort(places[mine][group])]
            assert (np.diff(by_place) <= 0).all()
        kept = np.sort(places[mine][newcomer[mine]])
        assert (kept <= step * np.arange(1, len(kept) + 1)).all()


def test_without_newcomers_places_go_by_score() -> None:
    nobody = np.zeros(5, dtype=np.bool_)
    places = with_newcomers(np.array([1.0, 3.0, 2.0, 5.0, 4.0]), nobody, np.array([0, 0, 0, 1, 1]), 5)
    assert places.tolist() == [3, 1, 2, 1, 2]

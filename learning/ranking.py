"""How providers are ranked for a request: weights learnt from what became of those that were shown.

The model is linear, so that each feature's part in a score can be told, and is learnt from pairs: of two providers shown
to the same request, which came further? (RankSVM with the logistic loss: Joachims, Optimizing Search Engines using
Clickthrough Data, KDD 2002; Sculley, Combined Regression and Ranking, KDD 2010.) A pair counts by the difference of its
labels. What is the same for both, such as the request's season or town, cannot mislead it.
"""

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEWEST_REQUESTS = 50_000
"""How many requests are learnt from at most, the newest: memory and time stay bounded whatever the market's age."""

LEAST_REQUESTS = 50
"""Below so many requests with two different outcomes nothing is learnt."""

LONGEST_LIST = 50
"""Providers shown further down than this form no pairs with the first of the list."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A feature's part in a score is weight * (x - mean) / scale; 0 for a feature that is not known.

    `requests`: from how many requests with two different outcomes the weights were learnt; with too few they are None.
    """

    weight: Floats | None
    mean: Floats
    scale: Floats
    requests: int


def fit(x: Floats, label: Floats, request: Ints) -> Weights:
    """Learn from candidates, a row each with its features (NaN: not known), label and request; rows lie by request."""
    known = ~np.isnan(x)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, x, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(known, x - mean, 0.0) ** 2).sum(axis=0) / count)
    scale = np.where(scale > 1e-9, scale, 1.0)
    better, worse = pairs(label, request)
    requests = len(np.unique(request[better]))
    if requests < LEAST_REQUESTS:
        return Weights(weight=None, mean=mean, scale=scale, requests=requests)
    # Not needed to read what was learnt, and slow to load.
    from sklearn.linear_model import LogisticRegression

    normal = standardised(x, mean, scale)
    difference = normal[better] - normal[worse]
    importance = label[better] - label[worse]
    model = LogisticRegression(fit_intercept=False, C=1.0, max_iter=500)
    model.fit(
        np.concatenate([difference, -difference]),
        np.repeat([1, 0], len(difference)),
        sample_weight=np.concatenate([importance, importance]),
    )
    return Weights(weight=model.coef_[0], mean=mean, scale=scale, requests=requests)


def pairs(label: Floats, request: Ints) -> tuple[Ints, Ints]:
    """Row numbers (better, worse) of every two candidates of one request with different labels. Rows lie by request."""
    better, worse = [], []
    for distance in range(1, min(LONGEST_LIST, len(label))):
        first = np.flatnonzero(request[:-distance] == request[distance:])
        if not len(first):
            break
        second = first + distance
        ahead, behind = label[first] > label[second], label[first] < label[second]
        better += [first[ahead], second[behind]]
        worse += [second[ahead], first[behind]]
    nothing = np.empty(0, dtype=np.int64)
    return np.concatenate([nothing, *better]), np.concatenate([nothing, *worse])


def standardised(x: Floats, mean: Floats, scale: Floats) -> Floats:
    """Features in standard deviations from their mean; what is not known is the mean."""
    return np.nan_to_num((x - mean) / scale, nan=0.0)


def scores(x: Floats, weights: Weights) -> Floats:
    """The score of each candidate, as fct_provider_ranking has it. The weights must have been learnt."""
    assert weights.weight is not None
    return standardised(x, weights.mean, weights.scale) @ weights.weight


def fit_relation(con: duckdb.DuckDBPyConnection, inputs: Any, outcomes: Any) -> pa.Table:
    """Learn from int_matching__rank_input and fct_rank_training; gives a row a feature: weight, mean, scale, requests.

    The same rows give the same weights, in whatever order they lie: they are sorted, and the weights rounded.
    """
    names, x, label, request = read_candidates(con, inputs, outcomes)
    learnt = fit(x, label, request)
    weight = [None] * len(names) if learnt.weight is None else np.round(learnt.weight, 6).tolist()
    return pa.table(
        {
            "feature": pa.array(names, pa.string()),
            "weight": pa.array(weight, pa.float64()),
            "mean": pa.array(np.round(learnt.mean, 6), pa.float64()),
            "scale": pa.array(np.maximum(np.round(learnt.scale, 6), 1e-6), pa.float64()),
            "requests": pa.array([learnt.requests] * len(names), pa.int64()),
        }
    )


def read_candidates(
    con: duckdb.DuckDBPyConnection, inputs: Any, outcomes: Any
) -> tuple[list[str], Floats, Floats, Ints]:
    """Names of the features; then x, label and request number of the candidates of the newest requests, by request."""
    names = [row[0] for row in con.sql("SELECT DISTINCT feature FROM inputs ORDER BY 1").fetchall()]
    found = con.sql(
        f"""
        WITH newest AS (
            SELECT request_id, row_number() OVER (ORDER BY max(requested_at), request_id) AS request
            FROM outcomes GROUP BY request_id HAVING count(DISTINCT label) > 1
            ORDER BY max(requested_at) DESC, request_id DESC LIMIT {NEWEST_REQUESTS}
        )
        SELECT newest.request, outcomes.label, inputs.x
        FROM inputs JOIN outcomes USING (request_id, provider_id) JOIN newest USING (request_id)
        ORDER BY newest.request, provider_id, inputs.feature
        """
    ).fetchnumpy()
    step = max(len(names), 1)
    x = np.ma.filled(np.ma.asarray(found["x"], dtype=np.float64), np.nan).reshape(-1, len(names) or 1)[:, : len(names)]
    return names, x, np.asarray(found["label"][::step], dtype=np.float64), np.asarray(found["request"][::step])


def with_newcomers(score: Floats, is_newcomer: npt.NDArray[np.bool_], request: Ints, step: int) -> Ints:
    """Each candidate's place, from 1, when every `step`-th of a request is kept for a newcomer, as fct_provider_ranking has it.

    The n-th newcomer stands behind at most n * (step - 1) established providers.
    """
    order = np.lexsort((-score, request))
    newcomer, of = is_newcomer[order], request[order]
    newcomers, established = _running(newcomer, of), _running(~newcomer, of)
    key = np.where(newcomer, np.minimum(established, newcomers * (step - 1)) + 0.5, established)
    final = order[np.lexsort((key, of))]
    places = np.empty(len(score), dtype=np.int64)
    places[final] = _running(np.ones(len(score), dtype=np.bool_), request[final])
    return places


def _running(flag: npt.NDArray[np.bool_], group: Ints) -> Ints:
    """How many are true up to and with each row of its group; groups lie together."""
    total = np.cumsum(flag, dtype=np.int64)
    first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.empty(0, dtype=np.int64)
    before = np.where(first > 0, total[first - 1], 0)
    counted: Ints = total - np.repeat(before, np.diff(np.r_[first, len(group)]))
    return counted

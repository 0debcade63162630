"""Does the learnt ranking find the provider whom the customer books? Against simple orders, on requests later than it learnt from.

A generated world goes through the real pipeline as far as matching; then the requests are split by time. The ranking is
learnt from those whose outcome was known when the first of the later ones was made, and everyone orders the providers
that each later request was shown to. Aim: better than every baseline, with the newcomers' places kept too.
"""

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import duckdb
import numpy as np
import numpy.typing as npt

from benchmarks.running_world import run_of, running_world
from demo.world.spec import WorldSpec, world_spec
from learning.ranking import Floats, Ints, fit, scores, with_newcomers
from orchestration import steps
from storage import Workspace, attached, exclusive_run

PURPOSE = "matching"
LEARNT_SHARE = 0.7
"""The first requests, by time, that may be learnt from."""

OUTCOME_DAYS = 14
"""A request made so long before the split has come to its end by then."""

FLAGS = ("is_booked", "is_newcomer", "is_young")
NEWCOMER_STEP = 5
YOUNG_REQUESTS = 30


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Providers shown to requests, a row each, by request. `moment`: when the request was made, in seconds since 1970.

    `is_young`: fewer than `YOUNG_REQUESTS` requests to the provider had come to an end, newcomers among them.
    """

    features: list[str]
    x: Floats
    label: Floats
    is_booked: npt.NDArray[np.bool_]
    is_newcomer: npt.NDArray[np.bool_]
    is_young: npt.NDArray[np.bool_]
    request: Ints
    moment: Floats
    distance_km: Floats
    provider_bookings: Floats
    shrunk_rating: Floats
    rank_position: Floats

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Candidates":
        rows = {name: values[chosen] for name, values in vars(self).items() if name != "features"}
        return Candidates(features=self.features, **rows)


def main(size: str = "small", seeds: str = "1,2,3") -> None:
    """Print, for each seed, the measures of every order."""
    for seed in seeds.split(","):
        with built_world(world_spec(seed=int(seed), size=size)) as workspace:
            candidates = read(workspace)
        report(f"{size} world, seed {seed}", candidates)


@contextmanager
def built_world(spec: WorldSpec, purpose: str = PURPOSE) -> Iterator[Workspace]:
    """A generated world of which one purpose has been built, and nothing else."""
    with running_world(spec, rate_limit=0) as world:
        run = run_of(world)
        with exclusive_run(run.home):
            with ThreadPoolExecutor(2) as pool:
                for pull in [pool.submit(partial(one, run)) for one in (steps.pull_events, steps.pull_stripe)]:
                    pull.result()
            steps.pull_app_db(run)
            steps.register_people(run)
            steps.load_purpose(run, purpose)
            steps.build_models(run, purpose)
        yield run.workspace


def read(workspace: Workspace) -> Candidates:
    """What dbt made of it: labels and features of fct_rank_training, as the learning sees them."""
    file = workspace.home.warehouse_file(PURPOSE)
    key = workspace.keyring.purpose_key(PURPOSE, "warehouse")
    with workspace.connect() as con, attached(con, file, "warehouse", key, read_only=True):
        return read_candidates(con, "warehouse.")


def read_candidates(con: duckdb.DuckDBPyConnection, database: str = "") -> Candidates:
    inputs, outcomes = f"{database}intermediate.int_matching__rank_input", f"{database}marts.fct_rank_training"
    features = [row[0] for row in con.execute(f"SELECT DISTINCT feature FROM {inputs} ORDER BY 1").fetchall()]
    con.execute("CREATE OR REPLACE TEMP TABLE rank_input AS FROM " + inputs)  # a view of a database not in use
    found = con.execute(
        f"""
        SELECT dense_rank() OVER (ORDER BY requested_at, request_id) AS request, epoch(requested_at) AS moment, label, x,
            outcome = 'booked' AS is_booked, is_newcomer, provider_requests < {YOUNG_REQUESTS} AS is_young,
            CAST(distance_km AS DOUBLE) AS distance_km, CAST(provider_bookings AS DOUBLE) AS provider_bookings,
            shrunk_rating, CAST(rank_position AS DOUBLE) AS rank_position
        FROM rank_input JOIN {outcomes} USING (request_id, provider_id)
        ORDER BY request, provider_id, feature
        """
    ).fetchnumpy()
    step = max(len(features), 1)
    columns = {
        name: np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)
        for name, values in found.items()
        if name not in (*FLAGS, "request")
    }
    x = columns.pop("x").reshape(-1, step)
    booked, newcomer, young = (np.asarray(found[name][::step], dtype=np.bool_) for name in FLAGS)
    return Candidates(
        features=features,
        x=x,
        label=columns["label"][::step],
        is_booked=booked,
        is_newcomer=newcomer,
        is_young=young,
        request=np.asarray(found["request"][::step], dtype=np.int64),
        moment=columns["moment"][::step],
        distance_km=columns["distance_km"][::step],
        provider_bookings=columns["provider_bookings"][::step],
        shrunk_rating=columns["shrunk_rating"][::step],
        rank_position=columns["rank_position"][::step],
    )


def report(title: str, candidates: Candidates) -> None:
    later, places = orders(candidates)
    print(f"{title}: {len(np.unique(later.request))} later requests with a booking, {len(later.label)} candidates")
    print(f"  {'':<22}{'NDCG@10':>9}{'MRR':>9}{'hit@1':>9}{'hit@3':>9}{'newcomers':>12}{'young':>9}")
    for name, place in places.items():
        figures = measures(later, place)
        print(
            f"  {name:<22}"
            + "".join(f"{figure:>{12 if key == 'newcomers' else 9}.4f}" for key, figure in figures.items())
        )
    shares = [group.mean() for group in (later.is_newcomer, later.is_young)]
    print(f"  {'share of candidates':<58}{shares[0]:>12.4f}{shares[1]:>9.4f}")


def orders(candidates: Candidates) -> tuple[Candidates, Mapping[str, Ints]]:
    """The later requests that somebody was booked for and that had a choice, and every order's places for them."""
    first = np.flatnonzero(np.r_[True, candidates.request[1:] != candidates.request[:-1]])
    split = float(np.quantile(candidates.moment[first], LEARNT_SHARE))
    known = candidates.where(candidates.moment < split - OUTCOME_DAYS * 86_400)
    weights = fit(known.x, known.label, known.request)
    size = np.bincount(candidates.request)
    booked = np.bincount(candidates.request, weights=candidates.is_booked)
    later = candidates.where(
        (candidates.moment >= split) & (size[candidates.request] > 1) & (booked[candidates.request] > 0)
    )
    score = scores(later.x, weights)
    nobody = np.zeros(len(score), dtype=np.bool_)
    plain = {
        "ranking": score,
        "nearest first": -np.nan_to_num(later.distance_km, nan=np.inf),
        "popularity": later.provider_bookings,
        "best rated": np.nan_to_num(later.shrunk_rating, nan=0.0),
        "the app's own list": -later.rank_position,
    }
    places = {name: with_newcomers(value, nobody, later.request, NEWCOMER_STEP) for name, value in plain.items()}
    kept = with_newcomers(score, later.is_newcomer, later.request, NEWCOMER_STEP)
    return later, {"ranking": places.pop("ranking"), "ranking, places kept": kept, **places}


def measures(candidates: Candidates, place: Ints) -> dict[str, float]:
    """NDCG@10 (gain: the label, 0 if it is below; Järvelin and Kekäläinen, ACM TOIS 2002), MRR and hit rates of the one
    booked, each as the mean over requests; and each group's share of exposure, a place being worth 1 / log2(1 + place)."""
    _, request = np.unique(candidates.request, return_inverse=True)
    worth = 1 / np.log2(1 + place)
    gain = np.maximum(candidates.label, 0)
    nobody = np.zeros(len(gain), dtype=np.bool_)
    ideal = with_newcomers(gain, nobody, candidates.request, NEWCOMER_STEP)
    best = np.bincount(request, weights=gain * (ideal <= 10) / np.log2(1 + ideal))
    reached = np.bincount(request, weights=gain * (place <= 10) * worth)
    first = np.full(request.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, request[candidates.is_booked], place[candidates.is_booked])
    return {
        "ndcg": float((reached / best).mean()),
        "mrr": float((1 / first).mean()),
        "hit@1": float((first <= 1).mean()),
        "hit@3": float((first <= 3).mean()),
        "newcomers": float(worth[candidates.is_newcomer].sum() / worth.sum()),
        "young": float(worth[candidates.is_young].sum() / worth.sum()),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])

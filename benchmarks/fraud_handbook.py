"""The fraud model against the Fraud Detection Handbook's simulator, with the Handbook's own protocol and measures.

`python -m benchmarks.fraud_handbook`: the simulated transactions become bookings and charges of an empty warehouse, their
terminals providers, their cards customers, each fraud a dispute that comes seven days later; this project's own dbt models
compute the features, its own code fits and scores. Six successive windows, each: train on 7 days (the first from 2018-07-25),
7 days of delay, test on the next 7, without the cards that were known as compromised. `--validate` compares the ways of
fitting on six windows that end before the first test day, which is where the way that is used was chosen.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.handbook_simulator import DAY_SECONDS, DAYS, FIRST_DAY, Ints, Transactions, simulate
from learning.fraud.fitting import Fitting, fit_scorecard
from learning.fraud.scorecard import Bools, Features, Floats, log_odds
from learning.fraud.store import FEATURES, PURPOSE, feature_names
from orchestration.dbt_runs import DbtServer, dbt_environment, project_folder
from pseudonymisation.loading import create_tables, open_purpose
from pseudonymisation.policy.reading import load_policy
from storage import Home, KeyRing, LeiiError, Workspace
from storage.extensions import ensure_extensions
from storage.keyring import names_for

FIRST_TRAINING_DAY = 115
"""2018-07-25, from 2018-04-01."""
WINDOWS = tuple(FIRST_TRAINING_DAY + 7 * number for number in range(6))
VALIDATION = tuple(start - 42 for start in WINDOWS)
"""The last of them is tested on days 122 to 128; the first test day of `WINDOWS` is 129."""
WEEK = 7
ALERTS = 100
HANDBOOK_FEATURES = (
    "amount_nok", "is_weekend", "is_night",
    *(f"{name}_{days}d" for days in (1, 7, 30) for name in (
        "customer_payments", "customer_mean_nok", "provider_payments", "provider_risk")),
)  # fmt: skip
PUBLISHED = (
    ("published, first window: random forest", 0.867, 0.658, 0.287),
    ("published, first window: logistic regression", 0.871, 0.606, 0.291),
    ("published features, six windows re-run: random forest", 0.872, 0.677, 0.307),
)
CANDIDATES = {
    "200 rounds, 4 leaves, 1 fit": Fitting(bags=1),
    "200 rounds, 4 leaves, mean of 4 fits": Fitting(),
    "200 rounds, 4 leaves, mean of 8 fits": Fitting(bags=8),
    "200 rounds, 4 leaves, mean of 4, shrunk": Fitting(shrinkage=20.0),
    "200 rounds, 4 leaves, mean of 4, 50 payments a leaf": Fitting(least_rows=50),
    "100 rounds, 4 leaves, mean of 4": Fitting(rounds=100),
    "200 rounds, 2 leaves, mean of 4": Fitting(leaves=2),
}

Answer = Callable[["Payments", "Payments"], Floats]
"""Scores for the second, learnt from the first."""


@dataclass(frozen=True, kw_only=True)
class Payments:
    """Payments with their features, the simulation's truth, and whose they are."""

    features: Features
    is_fraud: Bools
    customer: Ints
    day: Ints

    def where(self, rows: Bools) -> "Payments":
        return Payments(
            features={name: values[rows] for name, values in self.features.items()},
            is_fraud=self.is_fraud[rows], customer=self.customer[rows], day=self.day[rows],
        )  # fmt: skip


def main(*, validate: bool = False) -> None:
    """Print every model's AUC, average precision and card precision@100, the mean over six windows and each window."""
    began = time.perf_counter()
    made = simulate()
    print(
        f"simulated {len(made.second):,} transactions, {(made.kind > 0).sum():,} fraudulent, as published", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="leii-bench-") as folder:
        workspace = _workspace(Path(folder))
        _fill(workspace, made)
        built = time.perf_counter()
        _build(workspace)
        print(f"features by dbt in {time.perf_counter() - built:.0f} s", flush=True)
        payments = _read(workspace, since=min(VALIDATION) - 3 * WEEK)
    models = _candidates() if validate else _models()
    windows = VALIDATION if validate else WINDOWS
    print(f"{'':66}{'AUC':>7}{'AP':>7}{'CP@100':>8}")
    if not validate:
        for name, *published in PUBLISHED:
            _print(name, published)
    for name, (answer, training_days) in models.items():
        measured = np.array([_measure(payments, start, answer, training_days) for start in windows])
        _print(name, measured.mean(axis=0))
        for number, row in enumerate(measured, 1):
            _print(f"  window {number}", row)
    print(f"{time.perf_counter() - began:.0f} s in all")


def _candidates() -> dict[str, tuple[Answer, int]]:
    return {name: (_scorecard(fitting), WEEK) for name, fitting in CANDIDATES.items()}


def _models() -> dict[str, tuple[Answer, int]]:
    """Each with the days of training."""
    return {
        "perfect knowledge": (lambda learnt, asked: asked.is_fraud.astype(np.float64), WEEK),
        "random forest, the Handbook's features": (_random_forest, WEEK),
        "logistic regression, the Handbook's features": (_logistic_regression, WEEK),
        "this project's scorecard, the protocol's 7 days of training": (_scorecard(Fitting()), WEEK),
        "  not the protocol: 28 days of training, up to the same day": (_scorecard(Fitting()), 4 * WEEK),
    }


def _scorecard(fitting: Fitting) -> Answer:
    def answer(learnt: Payments, asked: Payments) -> Floats:
        return log_odds(fit_scorecard(learnt.features, learnt.is_fraud, learnt.customer, fitting), asked.features)

    return answer


def _random_forest(learnt: Payments, asked: Payments) -> Floats:
    model = RandomForestClassifier(random_state=0).fit(_matrix(learnt), learnt.is_fraud)
    found: Floats = model.predict_proba(_matrix(asked))[:, 1]
    return found


def _logistic_regression(learnt: Payments, asked: Payments) -> Floats:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)).fit(_matrix(learnt), learnt.is_fraud)
    found: Floats = model.predict_proba(_matrix(asked))[:, 1]
    return found


def _matrix(payments: Payments) -> Floats:
    return np.nan_to_num(np.column_stack([payments.features[name] for name in HANDBOOK_FEATURES]))


def _measure(payments: Payments, start: int, answer: Answer, training_days: int) -> tuple[float, float, float]:
    """AUC, average precision and card precision@100 of one window. Training ends with day `start` + 6, however long."""
    learnt = payments.where((payments.day >= start + WEEK - training_days) & (payments.day < start + WEEK))
    asked = _tested(payments, start)
    scores = answer(learnt, asked)
    return (
        float(roc_auc_score(asked.is_fraud, scores)),
        float(average_precision_score(asked.is_fraud, scores)),
        card_precision(asked, scores),
    )


def _tested(payments: Payments, start: int) -> Payments:
    """The test week without cards whose fraud was known: of the training week, and day by day of what the delay lets out."""
    kept = np.zeros(len(payments.day), dtype=np.bool_)
    in_training = (payments.day >= start) & (payments.day < start + WEEK)
    known = set(payments.customer[in_training & payments.is_fraud].tolist())
    for day in range(start + 2 * WEEK, start + 3 * WEEK):
        known |= set(payments.customer[(payments.day == day - WEEK - 1) & payments.is_fraud].tolist())
        kept |= (payments.day == day) & ~np.isin(payments.customer, list(known))
    return payments.where(kept)


def card_precision(asked: Payments, scores: Floats) -> float:
    """Of the 100 cards with the highest score, a day, how many are compromised; a card that was found is not asked again."""
    found: set[int] = set()
    shares = []
    for day in np.unique(asked.day):
        rows = (asked.day == day) & ~np.isin(asked.customer, list(found))
        cards, place = np.unique(asked.customer[rows], return_inverse=True)
        highest, is_fraud = np.full(len(cards), -np.inf), np.zeros(len(cards), dtype=np.bool_)
        np.maximum.at(highest, place, scores[rows])
        np.logical_or.at(is_fraud, place, asked.is_fraud[rows])
        top = np.argsort(-highest, kind="stable")[:ALERTS]
        found |= set(cards[top][is_fraud[top]].tolist())
        shares.append(is_fraud[top].sum() / ALERTS)
    return float(np.mean(shares))


def _print(name: str, values: "list[float] | Floats") -> None:
    auc, precision, cards = values
    print(f"{name:66}{auc:7.3f}{precision:7.3f}{cards:8.3f}", flush=True)


def _workspace(folder: Path) -> Workspace:
    keys = KeyRing({name: f"{name:->32}"[:32].encode() for name in names_for([PURPOSE])})
    return Workspace(home=Home(folder / "home"), keyring=keys, now=datetime(2018, 11, 1, tzinfo=UTC))


def _fill(workspace: Workspace, made: Transactions) -> None:
    """The simulated table as rows of the fraud purpose's source tables, amounts and times as they are."""
    rows = pa.table(
        {name: getattr(made, name) for name in ("second", "customer", "terminal", "amount", "kind")}
    ).append_column("number", pa.array(range(len(made.second))))
    uuid = "CAST(printf('%08x-0000-4000-8000-%012x', {}, {}) AS UUID)"
    booking, charge, dispute = (uuid.format(kind, "number") for kind in (1, 2, 3))
    customer, provider = uuid.format(4, "customer"), uuid.format(5, "terminal")
    at = f"TIMESTAMPTZ '{FIRST_DAY} 00:00:00+00' + to_seconds(second)"
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        create_tables(con, load_policy(), PURPOSE)
        con.register("made", rows)
        con.execute(f"""
            INSERT INTO purpose.src.app_db__booking
                (booking_id, customer_id, provider_id, status, price_nok, booked_at, _batch_id, _row_key)
            SELECT {booking}, {customer}, {provider}, 'completed', amount, {at}, 1, {booking} FROM made
        """)
        con.execute(f"""
            INSERT INTO purpose.src.stripe__charge
                (charge_id, booking_id, customer_id, provider_id, status, created_at, _batch_id, _row_key)
            SELECT {charge}, {booking}, {customer}, {provider}, 'succeeded', {at}, 1, {charge} FROM made
        """)
        con.execute(f"""
            INSERT INTO purpose.src.stripe__dispute
                (dispute_id, charge_id, reason, status, created_at, _batch_id, _row_key)
            SELECT {dispute}, {charge}, 'fraudulent', 'lost', {at} + INTERVAL {WEEK} DAY, 1, {dispute}
            FROM made WHERE kind > 0
        """)
        con.unregister("made")


def _build(workspace: Workspace) -> None:
    """The features by the project's own dbt models. Raises LeiiError if dbt fails."""
    ensure_extensions(workspace.home.extensions)
    folder, project = workspace.home.dbt_folder(PURPOSE), str(project_folder())
    server = DbtServer()
    try:
        arguments = ["build", "--project-dir", project, "--profiles-dir", project, "--target", PURPOSE]
        arguments += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs"), "--quiet"]
        arguments += ["--select", "+int_transaction_feature", "--resource-type", "model"]
        answer = server.run(arguments, dbt_environment(workspace, PURPOSE)).result()
    finally:
        server.close()
    if not answer["ok"]:
        raise LeiiError(f"dbt could not build the features: {answer['error']} {answer['results']}")


def _read(workspace: Workspace, *, since: int) -> Payments:
    """The payments from a day on, in the order of time."""
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        names = feature_names(con)
        columns = ", ".join(f'CAST("{name}" AS DOUBLE) AS "{name}"' for name in names)
        table = con.execute(
            f"""
            SELECT {columns}, known_second IS NOT NULL AS is_fraud,
                at_second - CAST(epoch(TIMESTAMPTZ '{FIRST_DAY} 00:00:00+00') AS BIGINT) AS second,
                CAST(concat('0x', right(CAST(customer_id AS VARCHAR), 12)) AS BIGINT) AS customer
            FROM {FEATURES} WHERE second BETWEEN ? AND ? ORDER BY second, transaction_id
            """,
            [since * DAY_SECONDS, DAYS * DAY_SECONDS],
        ).fetchnumpy()
    return Payments(
        features={name: np.ma.filled(np.ma.asarray(table[name]), np.nan) for name in names},
        is_fraud=np.asarray(table["is_fraud"], dtype=np.bool_),
        customer=np.asarray(table["customer"], dtype=np.int64),
        day=np.asarray(table["second"], dtype=np.int64) // DAY_SECONDS,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--validate", action="store_true", help="compare ways of fitting before the test windows")
    main(validate=parser.parse_args().validate)

"""The fraud model in the purpose's own encrypted file: its scorecard, how it was judged, and the payments it learns from.

There is no model file: `src._fraud_model` and `src._fraud_scorecard` hold numbers by range of value, under the purpose's
key, and dbt scores with them. A model is gone `KEPT_DAYS` after the end of its training at the latest, taken over or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from learning.fraud.scorecard import Bools, Features, Floats, Scorecard, Shape
from pseudonymisation.compaction import note_compaction_due
from pseudonymisation.loading import open_purpose
from storage import LeiiError, Workspace, count

PURPOSE = "fraud"
TRAIN_EVERY_DAYS = 7
KEPT_DAYS = 28
"""After so many days without one that is no worse, the rules stand alone. A whole number of trainings, and within GDPR's month."""
FEATURES = "purpose.intermediate.int_transaction_feature"
NO_FEATURE = ("transaction_id", "customer_id", "provider_id", "at_second", "known_second", "paid_at")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Payments of a span of time: `customers` numbers whose each is, `second` when, `is_fraud` as it was known."""

    features: Features
    is_fraud: Bools
    customers: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]


def prepare_models(workspace: Workspace, *, is_on: bool) -> None:
    """Before the models are built: what is past its time goes, and scoring is switched as the setting says."""
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        con.execute("UPDATE purpose.src._fraud_model SET is_switched_on = ?", [is_on])
        expired = count(
            con,
            "UPDATE purpose.src._fraud_model SET state = 'expired' WHERE state = 'in_use' AND expires_at <= ?",
            [workspace.now],
        )
        if expired:
            _drop_scorecards(con)


def model_in_use(con: duckdb.DuckDBPyConnection) -> Scorecard | None:
    """The scorecard that dbt scores with; None before the first, and after it has expired."""
    row = con.execute("SELECT model_id, intercept FROM purpose.src._fraud_model WHERE state = 'in_use'").fetchone()
    if row is None:
        return None
    rows = con.execute(
        "SELECT feature, value_from, value_below, points FROM purpose.src._fraud_scorecard WHERE model_id = ? "
        "ORDER BY feature, value_from NULLS LAST",
        [row[0]],
    ).fetchall()
    return Scorecard(intercept=row[1], shapes=_shapes(rows))


def is_training_due(workspace: Workspace) -> bool:
    """Whether no model has been trained, taken or not, for `TRAIN_EVERY_DAYS`."""
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        row = con.execute("SELECT max(trained_at) FROM purpose.src._fraud_model").fetchone()
    return row is None or row[0] is None or bool(workspace.now - row[0] >= timedelta(days=TRAIN_EVERY_DAYS))


def save_model(
    con: duckdb.DuckDBPyConnection, card: Scorecard, *, is_taken: bool, now: datetime, about: Mapping[str, Any]
) -> int:
    """Write down a trial and, if it is taken, put it in the place of the model in use, in one transaction.

    `about` has the other columns of `_fraud_model`. Of a refused one only how it was judged is kept.
    """
    con.execute("BEGIN")
    model_id = count(con, "SELECT coalesce(max(model_id), 0) + 1 FROM purpose.src._fraud_model")
    if is_taken:
        con.execute("UPDATE purpose.src._fraud_model SET state = 'replaced' WHERE state = 'in_use'")
        _drop_scorecards(con)
        con.register("fitted_scorecard", _rows(model_id, card))
        con.execute("INSERT INTO purpose.src._fraud_scorecard BY NAME SELECT * FROM fitted_scorecard")
        con.unregister("fitted_scorecard")
    values = {
        "model_id": model_id,
        "state": "in_use" if is_taken else "refused",
        "is_switched_on": True,
        "intercept": card.intercept if is_taken else None,
        "trained_at": now,
        "expires_at": now + timedelta(days=KEPT_DAYS),
        **about,
    }
    names = ", ".join(values)
    marks = ", ".join("?" for _ in values)
    con.execute(f"INSERT INTO purpose.src._fraud_model ({names}) VALUES ({marks})", list(values.values()))
    con.execute("COMMIT")
    return model_id


def feature_names(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The features that the purpose's file has, in its order. Raises LeiiError before the first build."""
    found = con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = 'purpose' AND schema_name = 'intermediate' "
        "AND table_name = 'int_transaction_feature' ORDER BY column_index"
    ).fetchall()
    if not found:
        raise LeiiError("fraud has no features of payments yet: build its models first (`leii run`)")
    return [name for (name,) in found if name not in NO_FEATURE]


def read_sample(con: duckdb.DuckDBPyConnection, since: datetime, until: datetime, known_by: datetime) -> Sample:
    """Payments from `since` until before `until`, with the fraud that was known at `known_by`."""
    names = feature_names(con)
    listed = ", ".join(f'CAST("{name}" AS DOUBLE) AS "{name}"' for name in names)
    table = con.execute(
        f"SELECT {listed}, coalesce(known_second <= ?, FALSE) AS is_fraud, dense_rank() OVER (ORDER BY customer_id) AS customer, "
        f"at_second FROM {FEATURES} WHERE at_second >= ? AND at_second < ? ORDER BY at_second, transaction_id",
        [int(moment.timestamp()) for moment in (known_by, since, until)],
    ).fetchnumpy()
    return Sample(
        features={name: _floats(table[name]) for name in names},
        is_fraud=np.asarray(table["is_fraud"], dtype=np.bool_),
        customers=np.asarray(table["customer"], dtype=np.int64),
        second=np.asarray(table["at_second"], dtype=np.int64),
    )


def _drop_scorecards(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("DELETE FROM purpose.src._fraud_scorecard")
    note_compaction_due(con)


def _floats(column: Any) -> Floats:
    """NumPy's masked values as NaN."""
    filled: Floats = np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan)
    return filled


def _rows(model_id: int, card: Scorecard) -> pa.Table:
    """One row a range; no value is a row without bounds."""
    rows: list[dict[str, Any]] = []
    for name, shape in card.shapes.items():
        bounds = [-np.inf, *shape.edges, np.inf]
        ranges = [*pairwise(bounds), (None, None)]
        rows += [
            {"model_id": model_id, "feature": name, "value_from": low, "value_below": high, "points": points}
            for (low, high), points in zip(ranges, (*shape.points, shape.missing), strict=True)
        ]
    return pa.Table.from_pylist(rows)


def _shapes(rows: list[tuple[str, float | None, float | None, float]]) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for name in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == name]
        ranges = [row for row in own if row[1] is not None]
        found[name] = Shape(
            edges=tuple(float(low) for _, low, _, _ in ranges[1:] if low is not None),
            points=tuple(points for _, _, _, points in ranges),
            missing=next(points for _, low, _, points in own if low is None),
        )
    return found

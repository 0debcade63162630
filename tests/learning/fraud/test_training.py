"""A challenger is taken if it is no worse on the newest labelled weeks, refused if it is, and a model does not outlive its time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from learning.fraud.fitting import Fitting
from learning.fraud.scorecard import Scorecard, Shape
from learning.fraud.store import (
    KEPT_DAYS,
    PURPOSE,
    is_training_due,
    model_in_use,
    prepare_models,
    read_sample,
    save_model,
)
from learning.fraud.training import DELAY_DAYS, is_no_worse, train_model
from pseudonymisation.loading import open_purpose
from storage import Home, KeyRing, Workspace
from storage.keyring import names_for
from tests.dbt_project.purpose_project import NOW, PROJECT

FITTING = Fitting(rounds=40, bags=1)
PERFECT = Scorecard(intercept=-3.0, shapes={"signal": Shape(edges=(0.5,), points=(-9.0, 9.0), missing=0.0)})
WRONG = Scorecard(intercept=-3.0, shapes={"signal": Shape(edges=(0.5,), points=(9.0, -9.0), missing=0.0)})

Filled = Callable[..., Workspace]


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    """A warehouse with 3,000 payments of 120 days, every fiftieth fraud that is known after three days.

    `signal` is the truth, but for `mistakes`, the share of payments where it is the opposite.
    """

    def make(*, mistakes: float = 0.1, every: int = 50) -> Workspace:
        keys = KeyRing({name: f"{name:->32}"[:32].encode() for name in names_for([PURPOSE])})
        workspace = Workspace(home=Home(tmp_path / "home"), keyring=keys, now=NOW)
        with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
            con.execute("CREATE SCHEMA purpose.intermediate")
            con.execute(
                f"""
                CREATE TABLE purpose.intermediate.int_transaction_feature AS
                SELECT uuid() AS transaction_id, CAST(printf('%08x-0000-4000-8000-000000000000', n % 400) AS UUID) AS customer_id,
                    uuid() AS provider_id,
                    CASE WHEN (n % {every} = 0) <> (hash(n) % 1000 < {mistakes * 1000}) THEN 1.0 ELSE 0.0 END
                        + (hash(n + 7) % 100) / 1000.0 AS signal,
                    (hash(n + 1) % 1000) / 1000.0 AS noise,
                    CAST(? - n * 3456 AS BIGINT) AS at_second,
                    CASE WHEN n % {every} = 0 THEN CAST(? - n * 3456 + 3 * 86400 AS BIGINT) END AS known_second,
                    to_timestamp(? - n * 3456) AS paid_at
                FROM range(3000) AS payment (n)
                """,
                [int(NOW.timestamp())] * 3,
            )
        return workspace

    return make


def in_use(workspace: Workspace) -> Scorecard | None:
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        return model_in_use(con)


def put_in_use(workspace: Workspace, card: Scorecard, *, at: datetime) -> None:
    about = {"payments_to": at - timedelta(days=28), "payments": 1, "frauds": 1, "average_precision": 0.5}
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        save_model(con, card, is_taken=True, now=at, about=about)


def states(workspace: Workspace) -> list[str]:
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        return [
            row[0] for row in con.execute("SELECT state FROM purpose.src._fraud_model ORDER BY model_id").fetchall()
        ]


def test_the_first_model_is_taken_and_read_back_as_it_was_saved(filled: Filled) -> None:
    workspace = filled()
    trial = train_model(workspace, fitting=FITTING)
    assert trial.result == "taken"
    assert trial.average_precision > 0.1
    assert np.isnan(trial.average_precision_in_use)
    kept = in_use(workspace)
    assert kept is not None
    assert "signal" in kept.shapes
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        (learnt_to,) = con.execute("SELECT payments_to FROM purpose.src._fraud_model").fetchone() or (None,)
    assert learnt_to == NOW - timedelta(days=DELAY_DAYS + 14 + DELAY_DAYS)
    put_in_use(workspace, kept, at=NOW)
    again = in_use(workspace)
    assert again == kept


def test_a_challenger_that_does_better_takes_the_models_place(filled: Filled) -> None:
    workspace = filled()
    put_in_use(workspace, WRONG, at=NOW - timedelta(days=7))
    trial = train_model(workspace, fitting=FITTING)
    assert trial.result == "taken"
    assert trial.average_precision > trial.average_precision_in_use
    assert states(workspace) == ["replaced", "in_use"]


def test_a_challenger_that_does_worse_is_not_taken(filled: Filled) -> None:
    workspace = filled()
    put_in_use(workspace, PERFECT, at=NOW - timedelta(days=7))
    rounds_of_noise = replace(FITTING, rounds=1, learning_rate=1e-9)
    trial = train_model(workspace, fitting=rounds_of_noise)
    assert trial.result == "refused"
    assert trial.average_precision < trial.average_precision_in_use
    assert states(workspace) == ["in_use", "refused"]
    kept = in_use(workspace)
    assert kept == PERFECT


def test_a_first_model_must_beat_chance_clearly_and_a_challenger_the_model_in_use() -> None:
    assert not is_no_worse(0.03, None, share=0.02)
    assert is_no_worse(0.05, None, share=0.02)
    assert not is_no_worse(0.59, 0.6, share=0.02)
    assert is_no_worse(0.6, 0.6, share=0.02)


def test_with_too_few_labels_nothing_is_trained(filled: Filled) -> None:
    workspace = filled(every=500)
    trial = train_model(workspace, fitting=FITTING)
    assert trial.result == "too_few_labels"
    assert states(workspace) == []


def test_a_model_goes_on_the_day_that_it_expires(filled: Filled) -> None:
    workspace = filled()
    put_in_use(workspace, PERFECT, at=NOW)
    on_its_last_day = replace(workspace, now=NOW + timedelta(days=KEPT_DAYS, seconds=-1))
    prepare_models(on_its_last_day, is_on=True)
    assert in_use(workspace) is not None
    prepare_models(replace(workspace, now=NOW + timedelta(days=KEPT_DAYS)), is_on=True)
    assert in_use(workspace) is None
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        assert con.execute("SELECT count(*) FROM purpose.src._fraud_scorecard").fetchone() == (0,)
        assert con.execute("SELECT count(*) > 0 FROM purpose.src._compaction_due").fetchone() == (True,)


def test_training_is_due_a_week_after_the_last_one_whatever_came_of_it(filled: Filled) -> None:
    workspace = filled()
    assert is_training_due(workspace)
    train_model(workspace, fitting=FITTING)
    assert not is_training_due(replace(workspace, now=NOW + timedelta(days=6)))
    assert is_training_due(replace(workspace, now=NOW + timedelta(days=7)))


def test_a_label_counts_from_the_moment_at_which_it_was_known(filled: Filled) -> None:
    workspace = filled()
    since, until = NOW - timedelta(days=30), NOW - timedelta(days=20)
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        early = read_sample(con, since, until, until - timedelta(days=5))
        late = read_sample(con, since, until, NOW)
        columns = set(read_sample(con, since, until, NOW).features)
    assert 0 < early.is_fraud.sum() < late.is_fraud.sum()
    known = late.second[late.is_fraud] + 3 * 86_400 <= (until - timedelta(days=5)).timestamp()
    assert early.is_fraud.sum() == known.sum()
    assert columns == {"signal", "noise"}


def test_the_models_delay_is_the_features_delay() -> None:
    settings = (PROJECT / "macros" / "fraud_model.sql").read_text()
    assert f'"delay_days": {DELAY_DAYS},' in settings

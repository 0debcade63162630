"""Training a challenger and judging it against the model in use, with nothing known later than at the time.

Time runs:  ... payments to learn from ... | delay | newest labelled weeks | delay | now
The challenger learns from payments whose outcome had come, or had the delay to come, when the newest labelled weeks began,
and from what was known then. Both are judged on those weeks, which neither has seen, by average precision. What is judged is
what is used: a challenger that is taken is not fitted again to more.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np

from learning.fraud.scorecard import Scorecard, log_odds
from learning.fraud.store import (
    PURPOSE,
    Sample,
    model_in_use,
    read_sample,
    save_model,
)
from pseudonymisation.loading import open_purpose
from storage import Workspace

if TYPE_CHECKING:
    from learning.fraud.fitting import Fitting

DELAY_DAYS = 7
"""`delay_days` of the macro fraud_model_settings: so long an outcome may take to become known."""
JUDGED_DAYS = 14
LEARNT_DAYS = 365
LEAST_FRAUDS, LEAST_JUDGED_FRAUDS = 20, 5
BETTER_THAN_CHANCE = 2.0
"""The first model's average precision must be so many times the share of fraud, which is what chance gives."""

Result = Literal["taken", "refused", "too_few_labels"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What training came to. The average precisions are NaN where nothing was judged, or no model is in use."""

    result: Result
    frauds: int = 0
    judged_frauds: int = 0
    average_precision: float = float("nan")
    average_precision_in_use: float = float("nan")


def train_model(workspace: Workspace, *, fitting: "Fitting | None" = None) -> Trial:
    """Train a challenger and take it into use if it is no worse. The fraud models must have been built.

    The next build scores with it. `fitting` None: as `python -m benchmarks.fraud_handbook --validate` chose it, on windows
    before the tested ones. Raises LeiiError if there are no features yet.
    """
    now = workspace.now
    judged_to = now - timedelta(days=DELAY_DAYS)
    judged_from = judged_to - timedelta(days=JUDGED_DAYS)
    learnt_to = judged_from - timedelta(days=DELAY_DAYS)
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        champion = model_in_use(con)
        learnt = read_sample(con, learnt_to - timedelta(days=LEARNT_DAYS), learnt_to, judged_from)
        judged = read_sample(con, judged_from, judged_to, now)
        frauds, judged_frauds = int(learnt.is_fraud.sum()), int(judged.is_fraud.sum())
        if frauds < LEAST_FRAUDS or judged_frauds < LEAST_JUDGED_FRAUDS or _customers(learnt) < 2:
            return Trial(result="too_few_labels", frauds=frauds, judged_frauds=judged_frauds)
        # Loads scikit-learn, which takes longer than all of the above.
        from learning.fraud.fitting import Fitting, fit_scorecard

        card = fit_scorecard(learnt.features, learnt.is_fraud, learnt.customers, fitting or Fitting())
        mine, theirs = average_precision(card, judged), _of_champion(champion, judged)
        is_taken = is_no_worse(mine, theirs, share=judged_frauds / len(judged.is_fraud))
        about = {
            "payments_to": learnt_to, "payments": len(learnt.is_fraud), "frauds": frauds,
            "judged_payments": len(judged.is_fraud), "judged_frauds": judged_frauds, "average_precision": mine,
            "average_precision_in_use": theirs,
        }  # fmt: skip
        save_model(con, card, is_taken=is_taken, now=now, about=about)
    return Trial(
        result="taken" if is_taken else "refused",
        frauds=frauds,
        judged_frauds=judged_frauds,
        average_precision=mine,
        average_precision_in_use=float("nan") if theirs is None else theirs,
    )


def is_no_worse(challenger: float, champion: float | None, *, share: float) -> bool:
    """By average precision on the same payments; without a champion it must beat chance clearly."""
    return challenger >= champion if champion is not None else challenger >= BETTER_THAN_CHANCE * share


def average_precision(card: Scorecard, sample: Sample) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(sample.is_fraud, log_odds(card, sample.features)))


def _of_champion(champion: Scorecard | None, judged: Sample) -> float | None:
    """None too for a model of features that are there no more: it cannot be used either."""
    if champion is None or not set(champion.shapes) <= set(judged.features):
        return None
    return average_precision(champion, judged)


def _customers(sample: Sample) -> int:
    return len(np.unique(sample.customers[sample.is_fraud]))

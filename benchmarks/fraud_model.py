"""The fraud model on the demo world, whose truth is known: `python -m benchmarks.fraud_model small --seed 1`.

One run of the pipeline, then splits by time: learnt from payments whose outcome was known at the split, tested on all that
came after it. Who is a fraud is the world's own truth, of which most never becomes a label: the model can only learn what was
disputed or warned of. The alert budget is one payment in a hundred. Beside it stand the rules, on all they know today.
"""

import argparse
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.running_world import RunningWorld, running_world
from demo.place import read_truth
from demo.world.spec import world_spec
from learning.fraud.fitting import Fitting, fit_scorecard
from learning.fraud.scorecard import Bools, Floats, log_odds
from learning.fraud.store import FEATURES, PURPOSE, Sample, read_sample
from learning.fraud.training import DELAY_DAYS, LEARNT_DAYS
from pseudonymisation.identify import accounts_by_pseudonym
from pseudonymisation.loading import open_purpose

SPLITS_DAYS_AGO = (42, 35, 28)
ALERT_SHARE = 0.01
FALSE_POSITIVE_RATES = (0.01, 0.05)


def main(size: str = "small", seed: int = 1) -> None:
    """Print, split by split, how much of the planted fraud is found; then the rules' hit rate by kind."""
    with running_world(world_spec(seed=seed, size=size), rate_limit=0) as world:
        world.leii("run")
        kinds = _kinds_by_pseudonym(world)
        print(f"{size} world, seed {seed}: {len(kinds)} accounts of planted fraud")
        for days in SPLITS_DAYS_AGO:
            _split(world, kinds, world.now - timedelta(days=days))
        _rules(world, kinds)


def _split(world: RunningWorld, kinds: dict[str, str], at: datetime) -> None:
    with world.workspace.connect() as con, open_purpose(con, world.workspace, PURPOSE):
        learnt = read_sample(con, at - timedelta(days=LEARNT_DAYS), at - timedelta(days=DELAY_DAYS), at)
        asked = read_sample(con, at, world.now, world.now)
        payers = con.execute(
            f"SELECT CAST(customer_id AS VARCHAR) FROM {FEATURES} WHERE at_second >= ? AND at_second < ? "
            "ORDER BY at_second, transaction_id",
            [int(moment.timestamp()) for moment in (at, world.now)],
        ).fetchall()
    kind = np.array([kinds.get(payer, "") for (payer,) in payers])
    print(
        f"\nsplit at {at:%Y-%m-%d}: learnt from {len(learnt.is_fraud):,} payments, {learnt.is_fraud.sum()} known as fraud; tested "
        f"on {len(kind):,}, {asked.is_fraud.sum()} known as fraud since, {(kind != '').sum()} by planted accounts"
    )
    try:
        card = fit_scorecard(learnt.features, learnt.is_fraud, learnt.customers, Fitting())
    except ValueError as error:
        print(f"  nothing to learn from: {error}")
        return
    scores = log_odds(card, asked.features)
    _print_measures("payments reported as fraud since", asked.is_fraud, scores)
    _print_measures("payments by planted accounts", kind != "", scores)
    _print_kinds(asked, kind, np.array([payer for (payer,) in payers]), scores)


def _print_measures(name: str, is_fraud: Bools, scores: Floats) -> None:
    if not 0 < is_fraud.sum() < len(is_fraud):
        print(f"  {name}: none")
        return
    budget = max(1, round(len(scores) * ALERT_SHARE))
    alerted = np.argsort(-scores, kind="stable")[:budget]
    recalls = ", ".join(
        f"{_recall_at(is_fraud, scores, rate):.2f} at {rate:.0%} false positives" for rate in FALSE_POSITIVE_RATES
    )
    print(
        f"  {name}: AUC {roc_auc_score(is_fraud, scores):.3f}, AP {average_precision_score(is_fraud, scores):.3f}, precision "
        f"{is_fraud[alerted].mean():.2f} at the budget of {budget} alerts, recall {recalls}"
    )


def _recall_at(is_fraud: Bools, scores: Floats, rate: float) -> float:
    """Share of the fraud above the score that a share of the honest payments exceeds."""
    limit = np.quantile(scores[~is_fraud], 1 - rate, method="higher")
    return float((scores[is_fraud] > limit).mean())


def _print_kinds(asked: Sample, kind: "np.ndarray[Any, Any]", payer: "np.ndarray[Any, Any]", scores: Floats) -> None:
    """By kind: of the accounts that paid after the split, how many have a payment within the alert budget."""
    alerted = np.zeros(len(scores), dtype=np.bool_)
    alerted[np.argsort(-scores, kind="stable")[: max(1, round(len(scores) * ALERT_SHARE))]] = True
    for one in sorted(set(kind) - {""}):
        mine = kind == one
        accounts, found = set(payer[mine]), set(payer[mine & alerted])
        reported = int((mine & asked.is_fraud).sum())
        print(f"    {one:22} {len(found)} of {len(accounts)} paying accounts found; {reported} payments ever reported")


def _rules(world: RunningWorld, kinds: dict[str, str]) -> None:
    with world.workspace.connect() as con, open_purpose(con, world.workspace, PURPOSE):
        rows = con.execute(
            "SELECT DISTINCT CAST(account_id AS VARCHAR) FROM purpose.marts.fct_flag WHERE status IN ('active', 'contested')"
        ).fetchall()
    flagged = {account for (account,) in rows}
    planted = Counter(kinds.values())
    found = Counter(kinds[account] for account in flagged if account in kinds)
    share = sum(found.values()) / max(1, len(flagged))
    print(f"\nthe rules today: {len(flagged)} accounts flagged, {share:.2f} of them planted")
    for one, count in sorted(planted.items()):
        print(f"    {one:22} {found[one]} of {count} accounts flagged")


def _kinds_by_pseudonym(world: RunningWorld) -> dict[str, str]:
    truth = {row["account_id"]: row["kind"] for row in read_truth(world.folder / "world", "fraud")}
    known = accounts_by_pseudonym(world.workspace, PURPOSE, pa.table({"account_id": list(truth)}))
    pairs = zip(known["pseudonym"].to_pylist(), known["account_id"].to_pylist(), strict=True)
    return {pseudonym: truth[account] for pseudonym, account in pairs}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("size", nargs="?", default="small")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    main(given.size, given.seed)

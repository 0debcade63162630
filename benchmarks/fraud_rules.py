"""What the fraud rules find of the planted fraud, and whom else: `python -m benchmarks.fraud_rules small` (or medium).

Each seed is a world of its own; the truth about it lies where the pipeline does not read. Nobody was given a threshold or a
weight for these worlds' sake: see `dbt_project/macros/fraud_rules.sql`.
"""

import itertools
import sys
from dataclasses import dataclass

import polars as pl

from benchmarks.running_world import RunningWorld, running_world
from demo.place import read_truth
from demo.world.spec import world_spec
from pseudonymisation.identify import accounts_by_pseudonym
from publishing.fraud_flags import PURPOSE, read_account_ids
from storage import attached

SEEDS = (1, 2)
BANDS = (0.5, 0.6, 0.7, 0.8, 1.0)

_FLAGS = """
SELECT CAST(account_id AS VARCHAR) AS pseudonym, score, place_in_queue, is_within_budget
FROM warehouse.marts.fct_flag WHERE status IN ('active', 'contested')
"""
_HITS = """
SELECT DISTINCT rule_code, CAST(account_id AS VARCHAR) AS pseudonym FROM warehouse.marts.fct_rule_hit WHERE NOT is_retracted
"""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One world's `accounts` (account_id, kind and group of a planted fraud or null, score of the flag or null, ...) and `hits`."""

    accounts: pl.DataFrame
    hits: pl.DataFrame
    rules: list[str]


def main(size: str = "small", *seeds: str) -> None:
    """Print each seed's figures: hit rate by kind, precision within the alert budget, and those flagged who did nothing."""
    for seed in [int(one) for one in seeds] or SEEDS:
        with running_world(world_spec(seed=seed, size=size), rate_limit=0) as world:
            world.leii("run", "--json")
            found = _found(world)
        print(f"\n{size} world, seed {seed}: {found.accounts.height:,} accounts")
        for line in [*_by_kind(found), *_flags(found), *_by_rule(found)]:
            print(f"  {line}")


def _found(world: RunningWorld) -> Found:
    """Flags and hits by the app's own account ids, with the truth beside them."""
    workspace = world.workspace
    ids = read_account_ids(world.server.pipeline_dsn)
    names = pl.DataFrame(accounts_by_pseudonym(workspace, PURPOSE, ids)).select("pseudonym", "account_id")
    key = workspace.keyring.purpose_key(PURPOSE, "warehouse")
    with (
        workspace.connect() as con,
        attached(con, workspace.home.warehouse_file(PURPOSE), "warehouse", key, read_only=True),
    ):
        flags, hits = con.execute(_FLAGS).pl(), con.execute(_HITS).pl()
        rules = [
            row[0] for row in con.execute("SELECT rule_code FROM warehouse.marts.dim_rule ORDER BY ALL").fetchall()
        ]
    truth = pl.DataFrame(read_truth(world.folder / "world", "fraud"))
    accounts = names.join(truth, on="account_id", how="left").join(flags, on="pseudonym", how="left")
    return Found(accounts=accounts, hits=hits.join(accounts.select("pseudonym", "kind"), on="pseudonym"), rules=rules)


def _by_kind(found: Found) -> list[str]:
    """Planted cases and their people, and how many of both have a flag; a case is hit if anybody in it is."""
    planted = found.accounts.filter(pl.col("kind").is_not_null()).with_columns(hit=pl.col("score").is_not_null())
    cases = planted.group_by("kind", "group").agg(pl.len().alias("people"), pl.col("hit").sum().alias("hits"))
    kinds = cases.group_by("kind").agg(
        pl.len().alias("cases"), (pl.col("hits") > 0).sum().alias("hit"), pl.col("people").sum(), pl.col("hits").sum()
    )
    lines = [f"{'kind':<22} {'cases':>6} {'hit':>5} {'people':>7} {'flagged':>8}"]
    lines += [
        f"{kind:<22} {number:>6} {hit:>5} {people:>7} {flagged:>8}"
        for kind, number, hit, people, flagged in kinds.sort("kind").iter_rows()
    ]
    total = kinds.select(pl.col("cases", "hit", "people", "hits").sum()).row(0)
    return [*lines, f"{'all':<22} {total[0]:>6} {total[1]:>5} {total[2]:>7} {total[3]:>8}"]


def _flags(found: Found) -> list[str]:
    """Precision of all flags, of those within the alert budget and by score; and false positives among the others."""
    flags = found.accounts.filter(pl.col("score").is_not_null()).with_columns(is_right=pl.col("kind").is_not_null())
    others = found.accounts.filter(pl.col("kind").is_null())
    wrong = others["score"].is_not_null().sum()
    lines = [
        f"flags: {flags.height}, precision {_share(flags)}; within the alert budget {_share(flags.filter('is_within_budget'))}",
        f"flagged who did nothing: {wrong} of {others.height:,} ({wrong / max(others.height, 1):.2%})",
    ]
    for low, high in itertools.pairwise(BANDS):
        band = flags.filter(pl.col("score").is_between(low, high, closed="left" if high < 1 else "both"))
        lines.append(f"  score {low} to {high}: {band.height} flags, precision {_share(band)}")
    return lines


def _by_rule(found: Found) -> list[str]:
    """Accounts that each rule hits, flagged or not, and how many of them are planted."""
    counts = found.hits.group_by("rule_code").agg(pl.len(), pl.col("kind").is_not_null().sum().alias("right"))
    known = {code: (number, right) for code, number, right in counts.iter_rows()}
    lines = ["rule    accounts  fraudulent"]
    return lines + [f"{code:<8}{known.get(code, (0, 0))[0]:>8}{known.get(code, (0, 0))[1]:>12}" for code in found.rules]


def _share(flags: pl.DataFrame) -> str:
    right = flags["is_right"].sum()
    return f"{right} of {flags.height}" + (f" ({right / flags.height:.0%})" if flags.height else "")


if __name__ == "__main__":
    main(*sys.argv[1:])

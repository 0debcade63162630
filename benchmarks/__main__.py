"""`make bench`: what the project is measured by, in turn, on the small world.

Other sizes by name: `python -m benchmarks.whole_runs medium`, `python -m benchmarks.mart_builds medium`,
`python -m benchmarks.erasure small medium large`, `python -m benchmarks.events_to_landing 10000000`. So are those that prove
and do not measure: `crashes`, `residue` and `erasure_oracle`.
"""

from benchmarks import (
    app_db_to_landing,
    erasure,
    events_to_landing,
    forecast,
    fraud_handbook,
    fraud_model,
    fraud_rules,
    mart_builds,
    pseudonymise,
    ranking,
    stripe_to_landing,
    whole_runs,
)


def main() -> None:
    app_db_to_landing.main()
    events_to_landing.main()
    stripe_to_landing.main()
    pseudonymise.main()
    whole_runs.main()
    mart_builds.main()
    erasure.main()
    ranking.main()
    forecast.main()
    fraud_rules.main()
    fraud_model.main()
    fraud_handbook.main()


if __name__ == "__main__":
    main()

"""`make bench`: every benchmark in turn, on the small world. `python -m benchmarks.whole_runs medium` and
`python -m benchmarks.erasure medium` take the medium one, `python -m benchmarks.events_to_landing 10000000` as many lines.
"""

from benchmarks import (
    app_db_to_landing,
    erasure,
    events_to_landing,
    forecast,
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
    erasure.main()
    ranking.main()
    forecast.main()


if __name__ == "__main__":
    main()

"""`make bench`: every benchmark in turn, on the small world. `python -m benchmarks.whole_runs medium` and
`python -m benchmarks.erasure medium` take the medium one.
"""

from benchmarks import app_db_to_landing, erasure, forecast, pseudonymise, ranking, whole_runs


def main() -> None:
    app_db_to_landing.main()
    pseudonymise.main()
    whole_runs.main()
    erasure.main()
    ranking.main()
    forecast.main()


if __name__ == "__main__":
    main()

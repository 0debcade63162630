"""`make bench`: every benchmark in turn. `python -m benchmarks.whole_runs medium` does the medium world."""

from benchmarks import app_db_to_landing, pseudonymise, whole_runs


def main() -> None:
    app_db_to_landing.main()
    pseudonymise.main()
    whole_runs.main()


if __name__ == "__main__":
    main()

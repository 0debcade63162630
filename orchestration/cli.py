"""The command `leii`. Whatever goes wrong is one clear message and exit code 1."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from storage.errors import LeiiError
from storage.garbage import look_for_garbage_seldom

app = typer.Typer(
    help="Leii's data warehouse: knows the market and not the people in it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
keys_app = typer.Typer(help="The keyring.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
quarantine_app = typer.Typer(help="What could not be read: where it stood, why, and once more after a fix.")
app.add_typer(quarantine_app, name="quarantine")

Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output, nothing else.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for another run to end, instead of being refused.")]


@app.command()
def run(
    as_json: Json = False,
    wait: Wait = 0.0,
    rebuild: Annotated[
        list[str] | None, typer.Option(help="Throw this purpose away and build it anew from the sources.")
    ] = None,
) -> None:
    """One pass: read the sources, pseudonymise, erase who is due, build, publish, tell the app."""
    from orchestration.console import print_problems, print_report, stage_display
    from orchestration.context import open_run
    from orchestration.running import run_everything, stage_count
    from orchestration.settings import SOURCES

    this = open_run(needs=SOURCES)
    with stage_display(stage_count(this.purposes), quiet=as_json) as display:
        succeeded = run_everything(this, wait_seconds=wait, rebuild=rebuild or (), on_change=display)
    if as_json:
        _print_json(this.report.as_json())
    elif succeeded:
        print_report(_console(), this.report)
    else:
        print_problems(this.report)
    if not succeeded:
        raise LeiiError("the run is not complete: what failed is above; the next run takes it up from there")


@app.command()
def erase(
    cookie: Annotated[
        bool,
        typer.Option("--cookie", help="Also a cookie that no account is tied to: its anonymousId on standard input."),
    ] = False,
    held_is_lost: Annotated[
        bool, typer.Option(help="Go on though what the law has you keep is lost and no backup of held/ has it.")
    ] = False,
    as_json: Json = False,
    wait: Wait = 0.0,
) -> None:
    """Carry the erasures that are due to their certificates now, without reading the sources first."""
    from orchestration.console import stage_display
    from orchestration.context import open_run
    from orchestration.notices_page import read_cookie
    from orchestration.running import erase_now, stage_count

    this = open_run(needs=("app_db_dsn",))
    given = read_cookie(sys.stdin) if cookie else None
    with stage_display(stage_count(this.purposes), quiet=as_json) as display:
        certificates = erase_now(this, cookie=given, held_is_lost=held_is_lost, wait_seconds=wait, on_change=display)
    _answer(as_json, this.report.as_json(), f"{certificates} certificates issued, in {this.home.certificates}")


@app.command()
def access(
    request: Annotated[int, typer.Option(help="The number of a request in app.privacy_request.")],
    as_json: Json = False,
    wait: Wait = 0.0,
) -> None:
    """Write everything that is held about whoever asked, for them to read; deletes itself after fourteen days."""
    from orchestration.context import open_run
    from orchestration.rights import give_access

    given = give_access(open_run(needs=("app_db_dsn",)), request, wait_seconds=wait)
    if not as_json:
        for gap in given.gaps:
            typer.echo(f"not read: {gap}", err=True)
    content = {"page": given.written.page, "data": given.written.data, "not_read": given.gaps}
    content |= {"is_complete": not given.gaps, "deletes_itself_at": given.written.deletes_itself_at.isoformat()}
    _answer(as_json, content, f"{'complete' if not given.gaps else 'NOT complete'}: {given.written.page.parent}")


@app.command()
def correct(
    request: Annotated[
        int | None, typer.Option(help="A request in app.privacy_request; all that wait if none.")
    ] = None,
    as_json: Json = False,
    wait: Wait = 0.0,
) -> None:
    """Bring what people corrected in the app to every purpose, and see that the old values are gone."""
    from dataclasses import asdict

    from orchestration.console import stage_display
    from orchestration.context import open_run
    from orchestration.rights import carry_corrections

    this = open_run(needs=("app_db_dsn",))
    with stage_display(3 * len(this.purposes) + 3, quiet=as_json) as display:
        corrections = carry_corrections(this, request, wait_seconds=wait, on_change=display)
    done = sum(one.is_done for one in corrections)
    content = [asdict(one) | {"is_done": one.is_done} for one in corrections]
    _answer(as_json, content, f"{done} of {len(corrections)} corrections are in every purpose, the old values gone")
    if done < len(corrections):
        raise LeiiError("a correction has not reached every purpose: see --json; the next run takes it up")


@app.command()
def notices(
    hand_over: Annotated[str | None, typer.Option(help="Write what is ready for this recipient into one file.")] = None,
    handed_over: Annotated[
        str | None, typer.Option(help="Confirm a file by its id; it goes, with what it says.")
    ] = None,
    register: Annotated[
        bool, typer.Option("--register", help="Who is given what about how many, why and since when.")
    ] = False,
    as_json: Json = False,
    wait: Wait = 0.0,
) -> None:
    """What recipients have yet to be told of erasures and corrections (GDPR art. 19), without anybody's identifier."""
    from orchestration import notices_page as page
    from orchestration.settings import load_settings

    settings = load_settings()
    if sum((hand_over is not None, handed_over is not None, register)) > 1:
        raise LeiiError("give one of --hand-over, --handed-over and --register")
    if hand_over is not None:
        written = page.hand_over(settings, hand_over, wait_seconds=wait)
        told = f"{written.notices} notices in {written.path}; when it is delivered: leii notices --handed-over"
        content = {"hand_over_id": written.hand_over_id, "path": written.path, "notices": written.notices}
        _answer(as_json, content, f"{told} {written.hand_over_id}")
    elif handed_over is not None:
        confirmed = page.confirm(settings, handed_over, wait_seconds=wait)
        _answer(as_json, {"confirmed": confirmed}, f"{confirmed} notices are handed over; what they said is gone")
    elif register:
        found = page.read_register(settings, wait_seconds=wait)
        _print_json(found) if as_json else page.print_register(_console(), found)
    else:
        waiting = page.read_queue(settings, wait_seconds=wait)
        _print_json(waiting) if as_json else page.print_queue(_console(), waiting)


@app.command()
def publish(
    purposes: Annotated[list[str] | None, typer.Argument(help="Purposes; all if none is named.")] = None,
    as_json: Json = False,
    wait: Wait = 0.0,
) -> None:
    """Publish new copies of the purposes as they stand."""
    from orchestration.console import stage_display
    from orchestration.context import open_run
    from orchestration.running import publish_now

    this = open_run()
    with stage_display(len(purposes or this.purposes), quiet=as_json) as display:
        publish_now(this, purposes or (), wait_seconds=wait, on_change=display)
    _answer(as_json, this.report.as_json(), "published")


@app.command()
def status(
    as_json: Json = False,
    retention: Annotated[
        bool, typer.Option("--retention", help="The oldest row of every table against its limit, and what is held.")
    ] = False,
    budget: Annotated[
        bool,
        typer.Option("--budget", help="What the noisy counts have cost of their privacy budget, and what is left."),
    ] = False,
) -> None:
    """How things stand: the last run, rows, landing, quarantine, published copies, privacy requests, flags."""
    from orchestration.settings import load_settings
    from orchestration.status import print_status, read_status

    if retention:
        from orchestration.retention_page import print_retention, read_retention

        found = read_retention(load_settings())
        _print_json(found) if as_json else print_retention(_console(), found)
        return
    if budget:
        from orchestration.budget_page import print_budget, read_budget

        spent = read_budget(load_settings())
        _print_json(spent) if as_json else print_budget(_console(), spent)
        return
    standing = read_status(load_settings())
    if as_json:
        _print_json(standing)
    else:
        print_status(_console(), standing)


@app.command()
def policy(
    check: Annotated[
        bool, typer.Option("--check", help="Refuse a policy that is not whole, or that an erasure does not follow.")
    ] = False,
    as_map: Annotated[
        bool, typer.Option("--map", help="Where each source column goes: models, published tables, readers.")
    ] = False,
    purpose: Annotated[str | None, typer.Option(help="This purpose only.")] = None,
    as_json: Json = False,
) -> None:
    """Who gets what of the personal data, how treated, and why."""
    from orchestration.policy_pages import policy_as_json, print_policy
    from pseudonymisation.policy.checking import require_whole
    from pseudonymisation.policy.reading import load_policy

    whole = load_policy()
    if purpose is not None and purpose not in whole.purposes:
        raise LeiiError(f"no purpose {purpose!r}: the policy has {', '.join(whole.purposes)}")
    if check:
        from orchestration.coverage_check import require_coverage

        require_whole(whole)
        models = require_coverage(whole)
        columns = sum(len(table.columns) for table in whole.tables.values())
        sentence = f"the policy is whole: {columns} columns, {len(whole.purposes)} purposes"
        covered = f"an erasure reaches every table: {models} models followed"
        _answer(as_json, {"is_whole": True, "is_covered": True, "models": models}, f"{sentence}\n{covered}")
        return
    names = [purpose] if purpose else list(whole.purposes)
    if as_map:
        from orchestration.data_map_page import show_map

        show_map(None if as_json else _console(), whole, names, _print_json)
    elif as_json:
        _print_json(policy_as_json(whole, names))
    else:
        print_policy(_console(), whole, names)


@app.command()
def metrics(
    name: Annotated[str | None, typer.Argument(help="A metric; without it they are listed.")] = None,
    by: Annotated[list[str] | None, typer.Option(help="A dimension to cut it by; may be given more than once.")] = None,
    as_json: Json = False,
) -> None:
    """What each figure is, in one definition; or one of them, on its purpose's published copy."""
    from orchestration import metrics_page as page
    from orchestration.settings import load_settings

    if name is None:
        if by:
            raise LeiiError("name the metric that is to be cut: `leii metrics` lists them")
        found = page.list_metrics()
        _print_json(found) if as_json else page.print_metrics(_console(), found)
        return
    answer = page.compute_metric(load_settings(), name, by or ())
    _print_json(page.as_json(answer)) if as_json else page.print_answer(_console(), answer)


@app.command()
def scan(
    file: Annotated[str, typer.Argument(help="Identifiers, one a line; - reads them from standard input.")],
    as_json: Json = False,
    wait: Wait = 0.0,
) -> None:
    """Is anything of these people left under LEII_HOME? Every file, decoded and as raw bytes; never shows a value.

    Exit code 1 if something is found, or a file could not be read. Keyed hashes (pseudonyms) are by design not found.
    """
    from orchestration.scan_page import print_scan, require_clean, run_scan

    report = run_scan(file, wait_seconds=wait, quiet=as_json)
    if as_json:
        _print_json(report.as_json())
    else:
        print_scan(_console(), report)
    require_clean(report)


@app.command("verify-certificate")
def verify_certificate(
    file: Annotated[Path, typer.Argument(help="The certificate.")],
    public_key: Annotated[Path, typer.Option(help="Leii's public key.")],
    as_json: Json = False,
) -> None:
    """Check an erasure's certificate against the public key; needs nothing else."""
    from dataclasses import asdict

    from pseudonymisation.erasure.certificate import summary_of
    from pseudonymisation.erasure.certificate import verify_certificate as verify

    verdict = verify(file, public_key)
    if as_json:
        _print_json(asdict(verdict) | {"is_good": not verdict.problems})
    if verdict.problems:
        raise LeiiError(f"{file} does not hold:\n" + "\n".join(f"- {problem}" for problem in verdict.problems))
    if not as_json:
        typer.echo(
            "\n".join([f"certificate {verdict.certificate_id} (number {verdict.number}) holds", *summary_of(file)])
        )


@keys_app.command("create")
def create_keys() -> None:
    """Make a keyring where LEII_KEYRING says, or in LEII_HOME. One that is there is never touched."""
    from pseudonymisation.policy.reading import load_policy
    from storage.keyring import create_keyring

    path = _keyring_file()
    create_keyring(path, load_policy().purposes)
    typer.echo(f"{path}: keep a copy of it apart from the data; without it nothing can be opened")


@keys_app.command("add")
def add_keys() -> None:
    """Make the keys that the keyring lacks, as for a purpose that is new in the policy."""
    from pseudonymisation.policy.reading import load_policy
    from storage.keyring import add_missing

    path = _keyring_file()
    added = add_missing(path, load_policy().purposes)
    typer.echo(f"{path}: {', '.join(added) or 'nothing is missing'}")


@keys_app.command("rotate")
def rotate_keys(
    name: Annotated[
        str,
        typer.Argument(
            help="purpose:<purpose>, published:<purpose>, vault, held, notices, quarantine, landing or certificate."
        ),
    ],
    as_json: Json = False,
    wait: Wait = 0.0,
) -> None:
    """Give a key a new secret: everything under it is written anew, nothing is lost, and the old secret is destroyed."""
    from orchestration.rotating import ADVICE, rotate_key
    from orchestration.settings import load_settings

    rotation = rotate_key(load_settings(), name, wait_seconds=wait)
    content = {"rotated": rotation.names, "built": rotation.built, "advice": ADVICE}
    _answer(as_json, content, f"rotated: {', '.join(rotation.names)}\n{ADVICE}")


@quarantine_app.callback(invoke_without_command=True)
def quarantine(context: typer.Context, as_json: Json = False) -> None:
    """List what could not be read: source, position and reason, nothing of the content. It goes after fourteen days."""
    from orchestration.quarantine_page import list_quarantine, print_quarantine
    from orchestration.settings import load_settings

    if context.invoked_subcommand is not None:
        return
    rows = list_quarantine(load_settings())
    _print_json(rows) if as_json else print_quarantine(_console(), rows)


@quarantine_app.command("show")
def show_quarantined(
    row: Annotated[str, typer.Argument(help="The id of a row, from the list.")],
    raw: Annotated[bool, typer.Option("--raw", help="Show it though nobody sits at a terminal.")] = False,
    as_json: Json = False,
) -> None:
    """Show one row as it came: RAW DATA, perhaps a person's. To a terminal only, unless --raw says otherwise."""
    from orchestration.quarantine_page import show_quarantined as show
    from orchestration.settings import load_settings

    if not raw and not sys.stdout.isatty():
        raise LeiiError("this shows raw data, which may be a person's: only to a terminal, or with --raw")
    shown = show(load_settings(), row)
    typer.echo("raw data, which may be a person's: keep it nowhere", err=True)
    if as_json:
        _print_json(shown)
        return
    cut = "; only its first 64 kB are kept" if shown["is_cut"] else ""
    place = f"{shown['position']}, line {shown['line']}" if shown["line"] else shown["position"]
    typer.echo(f"{place}: {shown['reason']}{cut}", err=True)
    typer.echo(shown["content"])


@quarantine_app.command("replay")
def replay_quarantine(as_json: Json = False, wait: Wait = 0.0) -> None:
    """Try every row once more, after a fix: what passes goes the normal way with the next run, the rest stays."""
    from dataclasses import asdict

    from orchestration.quarantine_page import replay
    from orchestration.settings import load_settings

    done = replay(load_settings(), wait_seconds=wait)
    sentence = (
        f"{done.passed} rows pass now, {done.landed} of them go to the purposes with the next run; {done.left} stay"
    )
    _answer(as_json, asdict(done), sentence)


def _keyring_file() -> Path:
    from orchestration.begun_rotation import keyring_file
    from orchestration.settings import load_settings

    return keyring_file(load_settings())


@app.command()
def notebook(
    purpose: Annotated[str | None, typer.Argument(help="A purpose; without it they are listed.")] = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 2718,
) -> None:
    """Open a purpose's notebook in the browser, on its published copy."""
    from orchestration.viewing import run_notebook

    run_notebook(purpose, port)


@app.command()
def dagster(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """Open Dagster on the runs of `leii run`: assets with their lineage, checks, schedules and sensors."""
    from orchestration.viewing import run_dagster

    run_dagster(port)


@app.command()
def dashboard(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8501) -> None:
    """Open the dashboard in the browser."""
    from orchestration.viewing import run_dashboard

    run_dashboard(port)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def demo(context: typer.Context) -> None:
    """The made-up marketplace: everything from nothing, or a part of it (`leii demo --help`)."""
    from demo.cli import app as demo_app
    from demo.show import show

    demo_app.callback(invoke_without_command=True)(show)
    demo_app(args=context.args, prog_name="leii demo")


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: a LeiiError becomes one message and exit code 1."""
    look_for_garbage_seldom()
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="leii")
    except LeiiError as error:
        sys.stderr.write(f"leii: {error}\n")
        sys.exit(1)


def _answer(as_json: bool, content: Any, sentence: str) -> None:
    if as_json:
        _print_json(content)
    else:
        typer.echo(sentence)


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, default=str))


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


if __name__ == "__main__":
    main()

"""What dbt says about its models: compiled once for each state of the project, without a warehouse and without a key."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from orchestration.dbt_runs import DbtError, DbtServer, project_folder
from orchestration.settings import load_settings
from pseudonymisation.coverage.check import check_coverage
from pseudonymisation.coverage.declared import load_exemptions
from pseudonymisation.coverage.models import KINDS, Model, incremental_relations, read_models
from pseudonymisation.coverage.standing import check_files, check_home, has_databases
from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import PolicyError
from storage import KeyRingError, Workspace, write_durably
from storage.extensions import install_extensions

PARTS = ("models", "macros", "seeds", "dbt_project.yml", "profiles.yml")
KEPT = ("metadata", "nodes", "sources", "macros")
MANIFEST = "manifest.json"


def require_coverage(policy: Policy) -> int:
    """Prove that an erasure reaches everything, in the models and in LEII_HOME if there is one.

    Returns how many models were followed. Raises PolicyError with every gap, DbtError if dbt cannot compile the models.
    """
    models, exemptions = compiled_models(), load_exemptions()
    problems = check_coverage(policy, exemptions, models)
    settings = load_settings()
    home = settings.place()
    try:
        if has_databases(home):
            workspace = Workspace(home=home, keyring=settings.keys(), now=settings.moment())
            problems += check_home(workspace, policy, exemptions, models)
        else:
            problems += check_files(home, policy)
    except KeyRingError as error:
        problems.append(f"{home.root}: what is in its databases is not known: {error}")
    if problems:
        raise PolicyError(problems)
    return len(models)


def compiled_models(project: Path | None = None) -> list[Model]:
    """Every model of the project with its SQL as dbt compiles it, parents before children.

    Incremental models are compiled twice: into an empty database, and into one that has them. The answer is kept in the
    project's target folder until a file of the project changes. Raises DbtError if dbt cannot compile the project.
    """
    project = project or project_folder()
    kept, state = project / "target" / "coverage.json", project_state(project)
    content = _read(kept)
    if content is None or content["state"] != state:
        content = {"state": state, **_compile(project)}
        if os.access(project, os.W_OK):
            write_durably(kept, json.dumps(content).encode())
    return read_models(content["full"], content["incremental"])


def _compile(project: Path) -> dict[str, Any]:
    server = DbtServer()
    try:
        with tempfile.TemporaryDirectory(prefix="leii_coverage_") as place:
            return _compile_in(server, project, Path(place))
    finally:
        server.close()


def _compile_in(server: DbtServer, project: Path, folder: Path) -> dict[str, Any]:
    parsed = server.parse(_arguments(project, folder / "parsed"), folder / "parsed" / MANIFEST).result()
    if not parsed["ok"]:
        raise DbtError(f"dbt cannot parse the project: {parsed['error']}")
    extensions, filled = folder / "extensions", folder / "filled.duckdb"
    install_extensions(extensions)
    _make_tables(filled, incremental_relations(_manifest(folder / "parsed")))
    environment = {"LEII_DBT_EXTENSIONS": str(extensions), "LEII_DBT_TEMPORARY": str(folder / "temporary")}
    answers = {
        "full": server.run(
            ["compile", *_arguments(project, folder / "full"), "--select", "resource_type:model"], environment
        ),
        "incremental": server.run(
            ["compile", *_arguments(project, folder / "incremental"), "--select", "config.materialized:incremental"],
            {**environment, "LEII_DBT_FILE": str(filled)},
        ),
    }
    for answer in [answer.result() for answer in answers.values()]:  # both have ended before the folder goes
        if not answer["ok"]:
            raise DbtError(f"dbt cannot compile the project: {answer['error']}")
    return {name: _kept(_manifest(folder / name)) for name in answers}


def _make_tables(file: Path, relations: Sequence[tuple[str, str]]) -> None:
    """Compiling asks only whether an incremental model's table is there, never what is in it."""
    with duckdb.connect(str(file)) as con:
        for schema, table in relations:
            con.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            con.execute(f'CREATE TABLE "{schema}"."{table}" (_batch_id BIGINT)')


def _arguments(project: Path, target: Path) -> list[str]:
    quiet = ["--quiet", "--log-level", "none", "--log-level-file", "none", "--log-path", str(target / "logs")]
    return [
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target-path",
        str(target),
        *quiet,
    ]


def _manifest(target: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((target / MANIFEST).read_bytes())
    return found


def _kept(manifest: Mapping[str, Any]) -> dict[str, Any]:
    own = manifest["metadata"]["project_name"]
    kept = {part: manifest[part] for part in KEPT}
    kept["nodes"] = {name: node for name, node in kept["nodes"].items() if node["resource_type"] in KINDS}
    kept["macros"] = {name: macro for name, macro in kept["macros"].items() if macro["package_name"] == own}
    return kept


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        return content if {"state", "full", "incremental"} <= set(content) else None
    except (OSError, ValueError, TypeError):
        return None


def project_state(project: Path) -> str:
    """A hash of everything that the compiled SQL depends on."""
    files = sorted(file for part in PARTS for file in (project / part, *(project / part).rglob("*")) if file.is_file())
    digest = hashlib.sha256(f"{version('dbt-core')} {version('dbt-duckdb')} {KINDS}".encode())
    for file in files:
        digest.update(f"{file.relative_to(project)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()

"""Whoever reads a mart is an exposure of dbt's, with exactly the marts that its code reads."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "dbt_project" / "models"


def exposures() -> dict[str, dict[str, Any]]:
    """Every exposure by name, with the folder of its file as `purpose` (empty for none)."""
    found: dict[str, dict[str, Any]] = {}
    for path in MODELS.rglob("*exposures.yml"):
        purpose = path.parent.name if path.parent != MODELS else ""
        found |= {one["name"]: {**one, "purpose": purpose} for one in yaml.safe_load(path.read_text())["exposures"]}
    return found


def readers() -> dict[str, Path]:
    """The name that its exposure should have -> the code of each notebook, each page, and the flags in the app."""
    found = {f"notebook_{path.stem}": path for path in (ROOT / "notebooks").glob("*/*.py")}
    pages = (path for path in (ROOT / "dashboards" / "views").glob("*.py") if path.stem != "__init__")
    found |= {f"dashboard_{path.stem}": path for path in pages}
    return found | {"fraud_flags": ROOT / "publishing" / "fraud_flags.py"}


def marts_read(path: Path, seen: set[Path]) -> set[str]:
    """The marts that the SQL of a module names, and of what it imports of the dashboards."""
    if path in seen:
        return set()
    seen.add(path)
    texts = [
        node.value for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]  # fmt: skip
    found = {name for text in texts for name in re.findall(r"\bmarts\.(\w+)", text)}
    for module in _imported(path):
        found |= marts_read(module, seen)
    return found


def _imported(path: Path) -> set[Path]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dashboards":
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = {ROOT / f"{str(name).replace('.', '/')}.py" for name in names}
    return {file for file in files if file.exists()}


@pytest.mark.parametrize("name", sorted(readers()))
def test_a_reader_is_an_exposure_of_the_marts_that_it_reads(name: str) -> None:
    declared = {re.fullmatch(r"ref\('(\w+)'\)", ref)[1] for ref in exposures()[name].get("depends_on", [])}  # type: ignore[index]
    assert declared == marts_read(readers()[name], set())


def test_every_exposure_is_somebody_that_reads() -> None:
    assert set(exposures()) == set(readers())


def test_an_exposure_reads_marts_of_its_own_purpose_only() -> None:
    for name, exposure in exposures().items():
        for ref in exposure.get("depends_on", []):
            mart = ref.removeprefix("ref('").removesuffix("')")
            files = list((MODELS / exposure["purpose"] / "marts").glob(f"{mart}.*"))
            assert files, f"{name} reads {mart}, which is no mart of {exposure['purpose']}"


def test_every_page_but_the_privacy_officers_reads_marts() -> None:
    """That page must open no database; the others would be found to read none if their SQL were no longer understood."""
    assert marts_read(readers()["dashboard_privacy"], set()) == set()
    assert all(marts_read(path, set()) for name, path in readers().items() if name != "dashboard_privacy")

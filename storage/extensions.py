"""`python -m storage.extensions FOLDER`: put DuckDB's extensions there, out of the installed packages and no network."""

import filecmp
import sys
from importlib.util import find_spec
from pathlib import Path

import duckdb
from duckdb_extensions import import_extension


def install_extensions(folder: Path) -> None:
    """Fill an extension folder for tools that load extensions by name, such as dbt."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"extension_directory": str(folder), "autoinstall_known_extensions": "false"}) as con:
        import_extension("httpfs", con=con)


def ensure_extensions(folder: Path) -> None:
    """As `install_extensions`, if the folder has none."""
    if next(folder.rglob("httpfs.duckdb_extension"), None) is None:
        install_extensions(folder)


def is_as_packaged(path: Path) -> bool:
    """Whether an extension is, byte for byte, what the installed package brought: a program and nobody's data."""
    package = find_spec(f"duckdb_extension_{path.stem}")
    folders = package.submodule_search_locations if package is not None else None
    originals = (one for folder in folders or () for one in Path(folder).glob(f"extensions/*/{path.name}"))
    return any(filecmp.cmp(path, original, shallow=False) for original in originals)


if __name__ == "__main__":
    install_extensions(Path(sys.argv[1]))

"""`leii metrics` as it is called: the list, one metric on an encrypted published copy, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

from publishing.copies import publish_purpose
from publishing.metrics.reading import load_metrics
from storage import Workspace
from tests.publishing.conftest import in_warehouse, manifest_of

PUBLIC = ("agg_liquidity", "dim_category", "fct_request")


def leii(*arguments: str, home: Path, keyring: str | None = None) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEII_")}
    environment = {**kept, "LEII_HOME": str(home), **({"LEII_KEYRING": keyring} if keyring else {})}
    return subprocess.run(
        [str(Path(sys.executable).with_name("leii")), "metrics", *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def published(workspace: Workspace, folder: Path) -> Workspace:
    """Requests of five and of two customers, in two categories, and a third of many."""
    in_warehouse(
        workspace,
        "matching",
        """
        CREATE TABLE w.marts.fct_request AS
        SELECT category_id, 'OSLO' AS municipality, md5(category_id || '-' || i)::UUID AS customer_id,
            TIMESTAMPTZ '2026-11-03 10:00:00Z' AS requested_at
        FROM (VALUES (1, 5), (2, 2), (3, 9)) AS t (category_id, people), range(people) AS r (i)
        """,
        """
        CREATE TABLE w.marts.agg_liquidity AS
        SELECT category_id, 'OSLO' AS municipality, DATE '2026-11-03' AS day, people::BIGINT AS requests, 1::BIGINT AS filled_requests
        FROM (VALUES (1, 5), (2, 2), (3, 9)) AS t (category_id, people)
        """,
        """
        CREATE TABLE w.marts.dim_category AS SELECT * FROM (VALUES (1, 'Cleaning'), (2, 'Pets'), (3, 'Moving')) AS t (category_id, name_en)
        """,
    )
    publish_purpose(
        workspace, "matching", manifest_of(folder, *(("matching", "marts", name, "public") for name in PUBLIC))
    )
    return workspace


def test_without_a_home_every_metric_is_listed(tmp_path: Path) -> None:
    done = leii("--json", home=tmp_path / "home")
    assert (done.returncode, done.stderr) == (0, "")
    listed = json.loads(done.stdout)
    assert {one["name"] for one in listed} == {name for content in load_metrics().values() for name in content.metrics}
    assert all(one["formula"] and one["unit"] and one["source"] and one["label"]["nb"] for one in listed)
    text = leii(home=tmp_path / "home").stdout
    assert "fill_rate" in text
    assert not (tmp_path / "home").exists()


def test_a_metric_is_computed_with_the_readers_key_alone_and_small_cells_are_withheld(
    workspace: Workspace, tmp_path: Path
) -> None:
    home = published(workspace, tmp_path / "dbt").home.root
    readers = workspace.keyring.for_readers(["matching"]).as_text()
    done = leii("requests", "--by", "category", "--json", home=home, keyring=readers)
    assert (done.returncode, done.stderr) == (0, "")
    cells = [(cell["category"], cell["value"], cell["is_withheld"]) for cell in json.loads(done.stdout)["cells"]]
    assert cells == [("Cleaning", None, True), ("Pets", None, True), ("Moving", 9, False)]
    shown = leii("fill_rate", home=home, keyring=readers)
    assert "18.8 %" in shown.stdout
    table = leii("requests", "--by", "category", home=home, keyring=readers).stdout
    assert "W: 2 of 3 cells are withheld" in table


def test_another_purposes_key_opens_nothing(workspace: Workspace, tmp_path: Path) -> None:
    home = published(workspace, tmp_path / "dbt").home.root
    done = leii("requests", home=home, keyring=workspace.keyring.for_readers(["fraud"]).as_text())
    assert done.returncode == 1
    assert "the keyring has no key 'published:matching'" in done.stderr


def test_what_there_is_not_is_a_clear_error(workspace: Workspace) -> None:
    for arguments, said in (
        (["fil_rate"], "no metric 'fil_rate': did you mean fill_rate?"),
        (
            ["requests", "--by", "customer_id"],
            "requests cannot be cut by customer_id: it has category, municipality, month",
        ),
        (["requests"], "nothing of matching is published"),
    ):
        done = leii(*arguments, home=workspace.home.root)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr

"""What every candidate of a comparison starts from: a LEII_HOME of its own, or a pipeline of dlt's into Parquet files."""

import shutil
from pathlib import Path

import dlt

from pseudonymisation.policy.model import Policy
from pseudonymisation.policy.reading import load_policy
from storage import Home, Workspace, fixed_or_real_now
from storage.keyring import create_keyring


def new_workspace(root: Path) -> tuple[Workspace, Policy]:
    """An empty LEII_HOME there, with keys of its own, and the policy. What was there goes."""
    shutil.rmtree(root, ignore_errors=True)
    policy, home = load_policy(), Home(root)
    keyring = create_keyring(home.default_keyring_file, policy.purposes)
    return Workspace(home=home, keyring=keyring, now=fixed_or_real_now()), policy


def new_dlt_pipeline(name: str, folder: Path) -> dlt.Pipeline:
    """A pipeline with no state that writes to a folder. What was there goes."""
    shutil.rmtree(folder, ignore_errors=True)
    return dlt.pipeline(
        pipeline_name=f"bench_{name}",
        pipelines_dir=str(folder / "state"),
        destination=dlt.destinations.filesystem(bucket_url=(folder / "out").as_uri()),
        dataset_name=name,
    )

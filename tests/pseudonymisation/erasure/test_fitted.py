"""A certificate tells of a model that was fitted while the person's data were there, and only of that."""

import json
from datetime import timedelta
from typing import Any

import pytest

from learning.fraud.scorecard import Scorecard, Shape
from learning.fraud.store import KEPT_DAYS, PURPOSE, save_model
from pseudonymisation.erasure.certificate import summary_of
from pseudonymisation.loading import open_purpose
from tests.pseudonymisation.conftest import NOON
from tests.pseudonymisation.erasure.conftest import Town, certificate_files

CARD = Scorecard(intercept=-3.0, shapes={"amount_ratio": Shape(edges=(2.0,), points=(-0.1, 2.0), missing=0.0)})


def certificate_of(town: Town) -> dict[str, Any]:
    town.ask(1)
    assert town.erase().blocked == ()
    content: dict[str, Any] = json.loads(certificate_files(town.market.workspace.home.root)[0].read_text())[
        "certificate"
    ]
    return content


def train(town: Town, days_before: int) -> None:
    workspace = town.market.workspace
    about = {"payments_to": NOON - timedelta(days=40), "payments": 1, "frauds": 1}
    with workspace.connect() as con, open_purpose(con, workspace, PURPOSE):
        save_model(con, CARD, is_taken=True, now=workspace.now - timedelta(days=days_before), about=about)


def test_a_model_fitted_before_the_erasure_is_told_of_with_the_day_on_which_it_is_gone(town: Town) -> None:
    town.people(1, 2)
    town.market.load()
    train(town, days_before=5)
    fitted = town.market.workspace.now - timedelta(days=5)
    gone_by = fitted + timedelta(days=KEPT_DAYS)
    assert certificate_of(town)["models"] == [
        {"purpose": PURPOSE, "fitted_at": fitted.isoformat(), "gone_by": gone_by.isoformat()}
    ]
    (path,) = certificate_files(town.market.workspace.home.root)
    assert any(f"gone by {gone_by:%Y-%m-%d}" in line for line in summary_of(path))


@pytest.mark.parametrize("is_trained", [True, False])
def test_a_model_fitted_after_the_sweep_or_none_is_nothing_to_tell(town: Town, is_trained: bool) -> None:
    town.people(1, 2)
    town.market.load()
    if is_trained:
        train(town, days_before=0)
    assert certificate_of(town)["models"] == []

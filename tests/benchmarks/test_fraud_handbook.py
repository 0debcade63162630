"""The public yardstick is the published one: its table, its protocol, its measure."""

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.fraud_handbook import VALIDATION, WEEK, WINDOWS, Payments, _tested, card_precision
from benchmarks.handbook_simulator import FRAUDS, TRANSACTIONS, simulate


def payments(*rows: tuple[int, int, bool]) -> Payments:
    """Day, customer, fraud."""
    day, customer, is_fraud = (np.array(part) for part in zip(*rows, strict=True))
    return Payments(features={}, is_fraud=is_fraud, customer=customer, day=day)


@pytest.mark.endurance
def test_the_simulator_gives_the_published_table() -> None:
    made = simulate()
    assert len(made.second) == TRANSACTIONS == 1_754_155
    assert (made.kind > 0).sum() == sum(FRAUDS) == 14_681
    assert (np.diff(made.second) >= 0).all()


def test_no_validation_window_reaches_into_a_tested_day() -> None:
    assert max(VALIDATION) + 3 * WEEK <= min(WINDOWS) + 2 * WEEK
    assert [later - earlier for earlier, later in pairwise(WINDOWS)] == [WEEK] * 5


def test_cards_known_as_compromised_are_left_out_as_the_delay_lets_them_be_known() -> None:
    found = _tested(
        payments(
            (3, 1, True), (7, 2, True), (14, 1, False), (14, 2, False), (14, 3, True), (15, 2, False), (15, 3, True)
        ),
        0,
    )
    # Card 1 was compromised in the training week; card 2 on day 7, which is known on day 15; card 3 is not known yet.
    assert list(zip(found.day.tolist(), found.customer.tolist(), strict=True)) == [(14, 2), (14, 3), (15, 3)]


def test_a_card_counts_once_a_day_by_its_highest_score_and_not_again_when_it_was_found() -> None:
    asked = payments((1, 1, True), (1, 1, False), (1, 2, False), (2, 1, True), (2, 3, True))
    assert card_precision(asked, np.array([0.9, 0.2, 0.5, 0.9, 0.1])) == pytest.approx((1 + 1) / 2 / 100)

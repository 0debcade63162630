"""Noisy counts of which only those above a threshold are told: (epsilon, delta)-differentially private, cells included.

Laplace noise on each count, and a threshold that a cell with nobody but one person passes with probability delta
(Desfontaines, Voss, Gipson and Mandayam, Differentially Private Partition Selection, PoPETs 2022). A floor beneath it, so that
a cell of fewer people than the disclosure limit is never told: such cells are taken out first, and of the others
only what is above the floor, `count - (least - 1)`, is measured ("pre-thresholding" in Google's differential-privacy,
common_docs/pre_thresholding.md). One person changes that by 1 at most in a cell, as before, and a cell at the floor
counts 1, so that the same epsilon and delta hold; they are OpenDP's own.

OpenDP is loaded where it is used: it takes a second and nobody else needs it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pseudonymisation.policy.private_counts import Cost

NAME = "laplace_threshold"


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """`most_cells`: what a person can change. `least`: a smaller count never passes. `threshold`: nor does a smaller noisy one.

    `scale` is that of the noise, whose standard deviation is its square root of 2 times; all in people.
    """

    cost: Cost
    most_cells: int
    least: int
    scale: float
    threshold: int


def mechanism_for(cost: Cost, *, most_cells: int, least: int) -> Mechanism:
    """The least noise and the lowest threshold that cost no more than this. `least` is 1 or more."""
    scale = most_cells / float(cost.epsilon)
    while _cost_of(scale, 2, most_cells)[0] > cost.epsilon:
        scale = math.nextafter(scale, math.inf)
    passed = 1 + max(1, math.floor(scale * math.log(most_cells / (2 * float(cost.delta)))))
    while _cost_of(scale, passed, most_cells)[1] > cost.delta:
        passed += 1
    return Mechanism(cost=cost, most_cells=most_cells, least=least, scale=scale, threshold=passed + least - 1)


def noisy_counts(mechanism: Mechanism, counts: Mapping[str, int]) -> dict[str, int]:
    """The cells that pass, with their noisy counts. A person may be counted in `most_cells` of them, once in each."""
    beneath = mechanism.least - 1
    above = {cell: count - beneath for cell, count in counts.items() if count > beneath}
    measured: dict[str, int] = _measurement(mechanism.scale, mechanism.threshold - beneath)(above)
    return {cell: count + beneath for cell, count in measured.items()}


def _cost_of(scale: float, threshold: int, most_cells: int) -> tuple[float, float]:
    """Epsilon and delta for a person in that many cells.

    OpenDP 0.16 tells a count that is at the threshold, and its delta is the chance of being above it: the delta of
    the threshold below is the chance that counts.
    """
    epsilon = _measurement(scale, threshold).map((most_cells, most_cells, 1))[0]
    delta = _measurement(scale, threshold - 1).map((most_cells, most_cells, 1))[1]
    return float(epsilon), float(delta)


@cache
def _measurement(scale: float, threshold: int) -> Any:
    from opendp.measurements import make_laplace_threshold

    return make_laplace_threshold(*_input_space(), scale=scale, threshold=threshold)


@cache
def _input_space() -> tuple[Any, Any]:
    """Counts by cell, of which a person changes so many, by so much in all and by so much each."""
    from opendp.domains import atom_domain, map_domain
    from opendp.metrics import absolute_distance, l01inf_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    domain = map_domain(atom_domain(T="String"), atom_domain(T="i64"))
    return domain, l01inf_distance(absolute_distance(T="i64"))

"""Names that can be the same agree; others do not."""

import pytest

from pseudonymisation.registries.names import names_agree


@pytest.mark.parametrize(
    ("stated", "registered"),
    [
        ("Eksempel Renhold", "EKSEMPEL RENHOLD AS"),
        ("Renhold, Eksempel", "EKSEMPEL RENHOLD OG VAKTMESTER AS"),
        ("Kari Hansen", "KARI HANSEN MALER"),
        ("Bjørn Ås", "ÅS BJØRN"),
        ("Eksempel Renhold AS", "EKSEMPEL RENHOLD"),
    ],
)
def test_agree(stated: str, registered: str) -> None:
    assert names_agree(stated, registered)


@pytest.mark.parametrize(
    ("stated", "registered"),
    [
        ("Kari Hansen", "OLA NORDMANN"),
        ("Kari Hansen", "KARI OLSEN"),
        ("", "EKSEMPEL AS"),
        ("...", "EKSEMPEL AS"),
        ("AS", "X AS"),
    ],
)
def test_do_not_agree(stated: str, registered: str) -> None:
    assert not names_agree(stated, registered)

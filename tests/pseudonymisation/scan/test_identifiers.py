"""Input is read with care: nothing that would be found by accident, and no value in an error."""

import io
from pathlib import Path

import pytest

from pseudonymisation.scan import identifiers_of, read_identifiers
from storage import LeiiError


def test_comments_and_empty_lines_are_skipped_and_lines_keep_their_numbers() -> None:
    found = read_identifiers(io.BytesIO("\ufeff# people\n\nkari@example.no\r\n  Ola Bjørnæs \n".encode()))
    assert [(one.line, one.text) for one in found] == [(3, "kari@example.no"), (4, "Ola Bjørnæs")]


def test_the_same_in_other_letters_is_looked_for_once() -> None:
    assert [one.line for one in identifiers_of(["Åse@example.no", "A\u030aSE@EXAMPLE.NO", "åse@example.no"])] == [1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Kari", "shorter than 6 characters"),
        ("1234567", "a number of fewer than 8 digits"),
        ("99999999", "one character, repeated"),
    ],
)
def test_what_would_be_found_by_accident_is_refused_by_its_line(line: str, reason: str) -> None:
    with pytest.raises(LeiiError) as refusal:
        identifiers_of(["ola@example.no", line])
    assert f"- line 2: {reason}" in str(refusal.value)
    assert line not in str(refusal.value).replace(reason, "")


def test_an_identifier_does_not_show_itself() -> None:
    assert "kari" not in repr(identifiers_of(["kari@example.no"]))


def test_nothing_to_look_for_is_refused() -> None:
    with pytest.raises(LeiiError, match="no identifier"):
        identifiers_of(["# nobody", ""])


def test_what_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LeiiError, match="line 2 is not"):
        read_identifiers(io.BytesIO(b"kari@example.no\n\xff\xfe\n"))
    with pytest.raises(LeiiError, match="cannot be read"):
        read_identifiers(tmp_path / "nothing")

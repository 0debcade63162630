"""The search finds what looking for each pattern by itself finds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pseudonymisation.scan.identifiers import Identifier
from pseudonymisation.scan.patterns import patterns_of
from pseudonymisation.scan.pieces import Piece, unescaped
from pseudonymisation.scan.search import ROW_LENGTH, Searcher

words = st.text(st.sampled_from("abAB@ø."), min_size=6, max_size=20)


@settings(max_examples=40)
@given(
    texts=st.lists(words, min_size=1, max_size=4, unique_by=str.casefold),
    noise=st.binary(max_size=60),
    before=st.integers(ROW_LENGTH - 30, ROW_LENGTH + 30),
    data=st.data(),
)
def test_every_pattern_is_found_as_often_as_it_is_there(
    texts: list[str], noise: bytes, before: int, data: st.DataObject
) -> None:
    identifiers = [Identifier(line=number, text=text) for number, text in enumerate(texts, start=1)]
    patterns = [pattern for identifier in identifiers for pattern in patterns_of(identifier)]
    planted = data.draw(st.lists(st.sampled_from(patterns), max_size=4))
    content = b"\xff" * before + noise.join(pattern.exact or pattern.content for pattern in planted) + noise
    searcher = Searcher(identifiers)
    searcher.add("file", Piece(place="raw bytes", content=content, form="binary"))
    searcher.finish()
    expected: dict[tuple[str, int], int] = {}
    for pattern in patterns:
        text, wanted = (content.lower(), pattern.content) if pattern.exact is None else (content, pattern.exact)
        times = sum(text.startswith(wanted, start) for start in range(len(text)))
        if times:
            key = (pattern.encoding, pattern.line)
            expected[key] = expected.get(key, 0) + times
    assert {(match.encoding, match.line): count for match, count in searcher.matches.items()} == expected


def test_a_name_is_shown_without_what_it_holds() -> None:
    searcher = Searcher([Identifier(line=7, text="kari@example.no"), Identifier(line=9, text="example.no")])
    assert searcher.redact("a/of-KARI@example.no.json") == "a/of-[line 7].json"
    assert searcher.redact("a/b.json") == "a/b.json"


def test_escapes_of_json_are_undone_also_twice_over() -> None:
    piece = Piece(place="t", content=rb'"\\u00f8 \ud83d\ude00 a\/b \"c\" \n"', form="text")
    assert [one.content.decode() for one in unescaped(piece)] == ['"ø 😀 a/b "c" \\n"']
    assert list(unescaped(Piece(place="t", content=b"no escape", form="text"))) == []

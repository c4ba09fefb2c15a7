"""Globs match what their definition says, and never take long."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.globs import literal_words, match_whole, match_words

PATTERNS = st.text("ab*?. ", max_size=7)
TEXTS = st.text("ab. \n_", max_size=8)


def _regex(pattern: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(token, re.escape(token)) for token in pattern)


@given(PATTERNS, TEXTS)
def test_a_whole_match_is_the_obvious_expression(pattern: str, text: str) -> None:
    assert match_whole(pattern)(text) == (re.fullmatch(_regex(pattern), text, re.DOTALL) is not None)


@given(PATTERNS, TEXTS)
def test_a_question_mark_may_mean_itself(pattern: str, text: str) -> None:
    expression = "".join(".*" if token == "*" else re.escape(token) for token in pattern)
    text = text.replace("_", "?")
    assert match_whole(pattern, question_mark=False)(text) == (re.fullmatch(expression, text, re.DOTALL) is not None)


@given(PATTERNS, TEXTS)
def test_a_match_of_words_is_a_part_between_boundaries(pattern: str, text: str) -> None:
    def is_boundary(index: int) -> bool:
        return not 0 <= index < len(text) or re.fullmatch("[A-Za-z0-9_]", text[index]) is None

    expected = any(
        re.fullmatch(_regex(pattern), text[start:end], re.DOTALL) and is_boundary(start - 1) and is_boundary(end)
        for start in range(len(text) + 1)
        for end in range(start, len(text) + 1)
    )
    assert match_words(pattern)(text) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("ex*ple", "an example event.", True),
        ("ex*ple", "exple", True),
        ("ex*ple", "an exciting triple-whammy", True),
        ("ex*ple", "examples", False),
        ("cake", "cakes", False),
        ("c++", "i like c++!", True),
        ("привет", "приветствие", True),
    ],
)
def test_words_as_in_the_specification(pattern: str, text: str, expected: bool) -> None:
    assert match_words(pattern)(text) is expected


def test_in_a_literal_nothing_is_special() -> None:
    assert literal_words("a*")("an a* here")
    assert not literal_words("a*")("an ab here")


def test_a_wicked_pattern_is_no_slower_than_a_good_one() -> None:
    assert not match_whole("*a" * 100 + "b")("a" * 60_000)
    assert not match_words("*a" * 100 + "b")("a" * 60_000)

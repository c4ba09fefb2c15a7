"""Reading a query string."""

from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.errors import InvalidParam, MissingParam
from synapse_like.toolkit.http import Query, Request

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_agrees_with_the_standard_library(fields: list[tuple[str, str]]) -> None:
    text = urlencode(fields)
    assert list(Query(text)) == parse_qsl(text, keep_blank_values=True)
    assert list(Query(urlencode(fields, quote_via=quote))) == fields


def test_reads_values() -> None:
    query = Query("limit=5&dir=b&full=true&no=false&via=a&via=b&empty=&flag")
    assert query.integer("limit") == 5
    assert query.integer("limit", maximum=3) == 3
    assert query.integer("absent", 7, 1, 9) == 7
    assert query.boolean("full") is True
    assert query.boolean("no", True) is False
    assert query.boolean("absent", False) is False
    assert query.choice("dir", ("b", "f")) == "b"
    assert query.choice("absent", ("b", "f"), "f") == "f"
    assert query.getall("via") == ["a", "b"]
    assert (query.get("empty"), query.get("flag"), query.get("absent")) == ("", "", None)
    assert "dir" in query and "absent" not in query


@pytest.mark.parametrize("text", ["x", "", "1.5", "1e3", "٣", "²", "+1", "--1", "1_0", " 1", "9" * 5000])
def test_refuses_what_is_no_integer(text: str) -> None:
    with pytest.raises(InvalidParam, match="'limit'"):
        Query(urlencode({"limit": text})).integer("limit", 10)


def test_refuses_other_values() -> None:
    query = Query("limit=-1&dir=x&full=yes")
    with pytest.raises(InvalidParam, match="at least 0"):
        query.integer("limit", minimum=0)
    with pytest.raises(InvalidParam, match="'dir'"):
        query.choice("dir", ("b", "f"))
    with pytest.raises(InvalidParam, match="'full'"):
        query.boolean("full")
    for read in (query.integer, query.boolean, query.string):
        with pytest.raises(MissingParam, match="'absent'"):
            read("absent")
    with pytest.raises(MissingParam, match="'absent'"):
        query.choice("absent", ("b", "f"))


@pytest.mark.parametrize("text", ["a=%FF", "%C3=1", "a=%00", "a=\0"])
def test_refuses_what_is_no_text(text: str) -> None:
    with pytest.raises(InvalidParam):
        _ = Request("GET", f"/x?{text}").query

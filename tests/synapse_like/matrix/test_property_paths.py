"""Dotted paths with escapes, and where they lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.property_paths import MISSING, Path, split_path, value_at


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("content.body", ("content", "body")),
        (r"content.m\.relates_to", ("content", "m.relates_to")),
        (r"m\\.foo", ("m\\", "foo")),
        (r"a\x", ("a\\x",)),
        ("", ("",)),
        ("a..b", ("a", "", "b")),
    ],
)
def test_dots_cut_and_backslashes_keep(text: str, path: Path) -> None:
    assert split_path(text) == path


@given(st.lists(st.text("ab.\\", max_size=4), min_size=1, max_size=4))
def test_every_path_can_be_written(names: list[str]) -> None:
    assert split_path(".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in names)) == tuple(names)


def test_a_path_leads_through_objects_only() -> None:
    json = {"a": {"b.c": None}, "list": [{"a": 1}]}
    assert value_at(json, ("a", "b.c")) is None
    assert value_at(json, ("a", "b", "c")) is MISSING
    assert value_at(json, ("list", "0", "a")) is MISSING
    assert value_at(json, ("a", "b.c", "d")) is MISSING

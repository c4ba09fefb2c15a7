"""Cutting the events out of a large reply, however it arrives and whatever it holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.federation.cutting import LARGEST_ENTRY, LARGEST_REST, Cutter, TooMuch
from tests.kit.pdus import safe_json, texts

objects = st.dictionaries(texts | st.sampled_from(["state", '"', "\\", "]}"]), safe_json, max_size=4)
replies = st.fixed_dictionaries(
    {"state": st.lists(objects, max_size=6), "auth_chain": st.lists(objects, max_size=6)},
    optional={"event": objects, "origin": texts, "other": st.lists(objects, max_size=2)},
)


def cut(text: bytes, sizes: list[int]) -> tuple[dict[str, list[Any]], Any]:
    """The entries by list, and what is left, of a text that comes in parts of these sizes, over and over."""
    cutter = Cutter("state", "auth_chain")
    found: dict[str, list[Any]] = {"state": [], "auth_chain": []}
    place = number = 0
    while place < len(text):
        size = sizes[number % len(sizes)]
        for name, entry in cutter.feed(text[place : place + size]):
            found[name].append(json.loads(entry))
        place, number = place + size, number + 1
    return found, json.loads(cutter.rest())


@given(
    reply=replies,
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    is_old=st.booleans(),
    order=st.permutations(["state", "auth_chain", "event", "origin", "other"]),
)
def test_all_entries_and_the_rest(
    reply: Any, sizes: list[int], ascii_only: bool, indent: int | None, is_old: bool, order: list[str]
) -> None:
    reply = {key: reply[key] for key in order if key in reply}
    text = json.dumps([200, reply] if is_old else reply, ensure_ascii=ascii_only, indent=indent).encode()
    found, rest = cut(text, sizes)
    assert found == {"state": reply["state"], "auth_chain": reply["auth_chain"]}
    assert (rest[1] if is_old else rest) == {**reply, "state": [], "auth_chain": []}


@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=4))
def test_depth_costs_nothing(sizes: list[int]) -> None:
    deep = b'{"a":' * 3000 + b"1" + b"}" * 3000
    cutter = Cutter("state", "auth_chain")
    text = b'{"state":[{"b":1},' + deep + b',{"c":"]}"}],"auth_chain":[]}'
    found, place = [], 0
    while place < len(text):
        for size in sizes:
            found += cutter.feed(text[place : place + size])
            place += size
    assert [entry for _, entry in found] == [b'{"b":1}', deep, b'{"c":"]}"}']
    assert json.loads(cutter.rest()) == {"state": [], "auth_chain": []}


@pytest.mark.parametrize("size", [1000, 10_000_000])
def test_a_large_entry_harms_only_itself(size: int) -> None:
    large = {"x": "a" * (LARGEST_ENTRY + 1)}
    text = json.dumps({"state": [{"a": 1}, large, {"b": 2}], "auth_chain": [large]}).encode()
    found, rest = cut(text, [size])
    assert found == {"state": [{"a": 1}, {"b": 2}], "auth_chain": []}
    assert rest == {"state": [], "auth_chain": []}


@pytest.mark.parametrize("endless", [b'{"state":' + b" " * 2000, b'{"x":"', b'{"x":[', b"[[", b'{"st\\u0061te":[{'])
def test_what_is_no_reply_ends_soon(endless: bytes) -> None:
    cutter = Cutter("state", "auth_chain")
    cutter.feed(endless)
    with pytest.raises(TooMuch):
        for _ in range(LARGEST_REST // 1000 + 1):
            cutter.feed(b"[" * 1000)


def test_an_endless_entry_is_not_kept() -> None:
    cutter = Cutter("state", "auth_chain")
    cutter.feed(b'{"state":[{"a":"')
    for _ in range(LARGEST_ENTRY // 1000 * 3):
        assert cutter.feed(b"x" * 1000) == []
        assert len(cutter._entry) <= LARGEST_ENTRY
    assert cutter.feed(b'"},{"b":1}]}') == [("state", b'{"b":1}')]

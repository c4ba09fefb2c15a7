"""Frames cross processes, also between releases."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from replication.bus import Frame
from replication.codec import MINOR, FrameCodec
from replication.streams import Fact, Stream
from tests.replication.notes import FAMILY, NOTES, Note


class NoteOfTomorrow(Fact):
    """The same fact with a field that today's release does not know."""

    page: str
    text: str
    colour: str = "red"


class NoteOfYesterday(Fact):
    """... and with one that it did not have yet."""

    page: str


TOMORROW = Stream("notes", FAMILY, NoteOfTomorrow, key="page")
UNHEARD_OF = Stream("smells", FAMILY, NoteOfTomorrow, key="page")


def codec(*streams: Stream[Any], minor: int = MINOR) -> FrameCodec:
    made = FrameCodec(minor)
    for stream in streams:
        made.register(stream)
    return made


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5), st.integers(1, 2**40))
def test_a_frame_survives(texts: list[tuple[str, str]], first: int) -> None:
    facts = tuple(("notes", Note(number=first + n, page=page, text=text)) for n, (page, text) in enumerate(texts))
    frame = Frame("page", 3, 7, first, first + len(facts) - 1, facts)
    assert codec(NOTES).decode(codec(NOTES).encode("a", frame)) == ("a", frame)


def test_a_release_of_tomorrow_is_understood_as_far_as_it_is_known() -> None:
    facts = (
        ("smells", NoteOfTomorrow(number=1, page="p", text="rose")),
        ("notes", NoteOfTomorrow(number=2, page="p", text="hello", colour="blue")),
    )
    data = codec(TOMORROW, UNHEARD_OF, minor=MINOR + 1).encode("a", Frame("page", 0, 1, 1, 2, facts))
    found = codec(NOTES).decode(data)
    assert found is not None
    assert found[1].facts == (("notes", Note(number=2, page="p", text="hello")),)
    assert (found[1].first, found[1].last) == (1, 2)  # the position moves past what is not known


def test_today_is_understood_by_a_release_pinned_to_yesterday() -> None:
    frame = Frame("page", 0, 1, 1, 1, (("notes", Note(number=1, page="p", text="x")),))
    yesterday = codec(Stream("notes", FAMILY, NoteOfYesterday, key="page"), minor=MINOR - 1)
    found = yesterday.decode(codec(NOTES).encode("a", frame))
    assert found is not None and found[1].facts == (("notes", NoteOfYesterday(number=1, page="p")),)


@given(st.binary(max_size=200))
def test_garbage_is_no_frame(data: bytes) -> None:
    found = codec(NOTES).decode(data)
    assert found is None or isinstance(found[1], Frame)


def test_another_major_version_is_not_understood() -> None:
    data = msgspec.msgpack.encode([99, 0, "a", "page", 0, 1, 1, 1, []])
    assert codec(NOTES).decode(data) is None

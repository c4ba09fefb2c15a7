"""The grammar of identifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix import ids
from synapse_like.matrix.errors import InvalidParam

GOOD_SERVERS = (
    "matrix.org",
    "matrix.org:8888",
    "1.2.3.4",
    "1.2.3.4:1234",
    "[1234:5678::abcd]",
    "[1234:5678::abcd]:5678",
    "[::ffff:1.2.3.4]",
    "localhost",
    "MATRIX.org",
    "a" * 255,
)
BAD_SERVERS = (
    "",
    ":8008",
    "matrix.org:",
    "matrix.org:port",
    "matrix.org:123456",
    "matrix.org:65536",
    "256.1.1.1",
    "1.2.3.0004",
    "[1234:5678::abcd",
    "[::g]",
    "[1:2:3]",
    "1234:5678::abcd",
    "under_score.org",
    "mätrix.org",
    "matrix.org\n",
    "matrix.org/path",
    "a" * 256,
    "[fe80::1%eth0]",
)


@pytest.mark.parametrize("text", GOOD_SERVERS)
def test_server_names(text):
    assert ids.is_valid_server_name(text)


@pytest.mark.parametrize("text", BAD_SERVERS)
def test_what_is_no_server_name(text):
    assert not ids.is_valid_server_name(text)


@pytest.mark.parametrize("localpart", ["alice", "a.b_c=d-e/f+g", "0"])
def test_localparts_for_registration(localpart):
    assert ids.is_valid_localpart(localpart)
    assert ids.is_valid_user_id(f"@{localpart}:example.org", historical=False)


@pytest.mark.parametrize("localpart", ["", "Alice", "a b", "ä", "a!", "alice\n", "a" * 256])
def test_localparts_that_nobody_may_register(localpart):
    assert not ids.is_valid_user_id(f"@{localpart}:example.org", historical=False)


@pytest.mark.parametrize("localpart", ["", "Alice", "a b", "ä", "\x01", "😀", "!", "a\n"])
def test_historical_users_exist(localpart):
    assert ids.is_valid_user_id(f"@{localpart}:example.org")
    assert ids.parse_user_id(f"@{localpart}:example.org") == (localpart, "example.org")


@pytest.mark.parametrize(
    "text", ["", "@", "@alice", "alice:example.org", "@alice:", "@a\0b:x.org", "@a:b:c", "@\ud800:x.org"]
)
def test_what_is_no_user(text):
    assert not ids.is_valid_user_id(text)
    with pytest.raises(InvalidParam):
        ids.parse_user_id(text)


def test_an_id_has_255_bytes_and_not_letters():
    server = ":example.org"
    assert ids.is_valid_user_id("@" + "a" * (254 - len(server)) + server)
    assert not ids.is_valid_user_id("@" + "a" * (255 - len(server)) + server)
    assert not ids.is_valid_user_id("@" + "ä" * 122 + server)
    assert ids.looks_like_user_id("@" + "ä" * 122 + server)
    assert not ids.is_valid_room_alias("#" + "ä" * 122 + server)


def test_room_ids_with_and_without_a_domain():
    assert ids.is_valid_room_id("!abc:example.org:8448")
    assert ids.is_valid_room_id("!" + "aB3_-" * 8 + "xyz")
    assert ids.is_domainless_room_id("!" + "a" * 43)
    assert not ids.is_domainless_room_id("!abc:example.org")


@pytest.mark.parametrize("text", ["", "!", "!abc", "!" + "a" * 42, "!" + "a" * 42 + "+", "#abc:example.org", "!a:b c"])
def test_what_is_no_room(text):
    assert not ids.is_valid_room_id(text)


def test_aliases():
    assert ids.parse_room_alias("#früh am Tag:example.org:1") == ("früh am Tag", "example.org:1")
    for text in ("#:example.org", "#a", "!a:example.org", "#a\0:example.org", ""):
        with pytest.raises(InvalidParam):
            ids.parse_room_alias(text)


def test_event_ids():
    assert ids.is_valid_event_id("$abc:example.org")
    assert ids.is_valid_event_id("$" + "a/+" * 14)
    for text in ("$", "", "abc", "$" + "a" * 255, "$\0", "$\udfff"):
        assert not ids.is_valid_event_id(text)


@given(st.text(max_size=40))
def test_the_domain_is_all_behind_the_first_colon(text):
    _, colon, after = text.partition(":")
    if colon and after:
        assert ids.domain_of(text) == after
    else:
        with pytest.raises(InvalidParam):
            ids.domain_of(text)


@given(st.text(max_size=30))
def test_no_text_breaks_the_grammar_checks(text):
    for sigil in ("", "@", "!", "#", "$", "@a:", "@a:[", "!a:1."):
        assert ids.is_valid_user_id(sigil + text) in (True, False)
        assert ids.is_valid_room_id(sigil + text) in (True, False)
        assert ids.is_valid_room_alias(sigil + text) in (True, False)
        assert ids.is_valid_event_id(sigil + text) in (True, False)


@given(st.from_regex(r"[a-z0-9._=/+-]{1,40}", fullmatch=True), st.sampled_from(GOOD_SERVERS[:8]))
def test_parsing_undoes_building(localpart, server):
    assert ids.parse_user_id(f"@{localpart}:{server}") == (localpart, server)

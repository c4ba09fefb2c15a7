"""Hashes and signatures: the vectors of the specification, signedjson as a second opinion, and properties."""

from __future__ import annotations

import copy

import pytest
import signedjson.sign
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.errors import BadJson, TooLarge, UnsafeValue
from synapse_like.matrix.events import Event, event_id_of_pdu
from synapse_like.matrix.hashes import content_hash, has_valid_content_hash
from synapse_like.matrix.redaction import redact
from synapse_like.matrix.room_versions import ROOM_VERSIONS, room_version
from synapse_like.matrix.signatures import (
    build_event,
    servers_that_must_sign,
    sign_event,
    sign_json,
    verify_event_signature,
    verify_json,
)
from synapse_like.matrix.signing_keys import SigningKey, decode_base64
from tests.kit.pdus import KEY, SERVER, draft, drafts, safe_json, texts, versions

VECTOR_KEY = SigningKey.from_seed("1", decode_base64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"))


def vector_signature(signed):
    return signed["signatures"]["domain"]["ed25519:1"]


@pytest.mark.parametrize(
    ("value", "signature"),
    [
        ({}, "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
        (
            {"one": 1, "two": "Two"},
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ],
)
def test_vectors_for_plain_json(value, signature):
    signed = sign_json(value, "domain", VECTOR_KEY)
    assert vector_signature(signed) == signature
    assert verify_json(signed, "domain", VECTOR_KEY.verify_key)


@pytest.mark.parametrize(
    ("pdu", "digest", "signature"),
    [
        (
            {
                "room_id": "!x:domain",
                "sender": "@a:domain",
                "origin": "domain",
                "origin_server_ts": 1000000,
                "signatures": {},
                "hashes": {},
                "type": "X",
                "content": {},
                "prev_events": [],
                "auth_events": [],
                "depth": 3,
                "unsigned": {"age_ts": 1000000},
            },
            "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg",
        ),
        (
            {
                "content": {"body": "Here is the message content"},
                "event_id": "$0:domain",
                "origin": "domain",
                "origin_server_ts": 1000000,
                "type": "m.room.message",
                "room_id": "!r:domain",
                "sender": "@u:domain",
                "signatures": {},
                "unsigned": {"age_ts": 1000000},
            },
            "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g",
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA",
        ),
    ],
    ids=["minimal", "redactable"],
)
def test_vectors_for_events(pdu, digest, signature):
    assert content_hash(pdu) == digest
    pdu["hashes"] = {"sha256": digest}
    signed = sign_event(pdu, room_version("1"), "domain", VECTOR_KEY)
    assert vector_signature(signed) == signature
    assert verify_event_signature(signed, room_version("1"), "domain", VECTOR_KEY.verify_key)


@given(st.dictionaries(texts, safe_json, max_size=4))
def test_plain_json_is_signed_as_signedjson_does(value):
    value.pop("signatures", None)
    before = copy.deepcopy(value)
    signed = sign_json(value, SERVER, KEY)
    theirs = KEY.key
    theirs.alg, theirs.version = "ed25519", KEY.version
    assert signed == signedjson.sign.sign_json(copy.deepcopy(value), SERVER, theirs)
    assert value == before
    assert verify_json({**signed, "unsigned": {"age": 1}}, SERVER, KEY.verify_key)


def test_signatures_of_others_are_kept():
    other = SigningKey.from_seed("b", bytes(32))
    signed = sign_json(sign_json({"a": 1}, SERVER, KEY), SERVER, other)
    signed = sign_json(signed, "two.example.org", other)
    assert verify_json(signed, SERVER, KEY.verify_key)
    assert verify_json(signed, SERVER, other.verify_key)
    assert verify_json(signed, "two.example.org", other.verify_key)
    assert not verify_json(signed, "two.example.org", KEY.verify_key)


@pytest.mark.parametrize(
    "signatures",
    [None, [], {SERVER: None}, {SERVER: {KEY.key_id: 1}}, {SERVER: {KEY.key_id: "*"}}, {SERVER: {KEY.key_id: "AAAA"}}],
)
def test_broken_signatures_do_not_verify(signatures):
    assert not verify_json({"signatures": signatures}, SERVER, KEY.verify_key)


def test_what_cannot_be_encoded_does_not_verify():
    signatures = sign_json({}, SERVER, KEY)["signatures"]
    assert not verify_json({"a": "\ud800", "signatures": signatures}, SERVER, KEY.verify_key)
    pdu = draft(room_version("6"), state_key="\ud800", signatures=signatures)
    assert not verify_event_signature(pdu, room_version("6"), SERVER, KEY.verify_key)


def built(pdu, version):
    return build_event(pdu, room_version=version, signing_key=KEY, server_name=SERVER)


@given(st.data(), versions)
def test_signatures_and_ids_survive_redaction(data, version):
    pdu = data.draw(drafts(version))
    event = built(pdu, version)
    redacted = redact(event.pdu, version)
    assert verify_event_signature(event.pdu, version, SERVER, KEY.verify_key)
    assert verify_event_signature(redacted, version, SERVER, KEY.verify_key)
    assert event_id_of_pdu(redacted, version) == event.event_id
    assert event.redacted().event_id == event.event_id
    assert event.redacted().pdu == redacted


@given(st.data(), versions)
def test_a_built_event_is_received_as_the_same_event(data, version):
    event = built(data.draw(drafts(version)), version)
    received = Event.from_pdu({**event.pdu, "unsigned": {"age": 5}}, version)
    assert has_valid_content_hash(received.pdu)
    for field in Event.__slots__:
        assert getattr(received, field) == getattr(event, field), field


@given(st.data(), versions)
def test_a_change_of_the_content_breaks_the_hash_and_of_the_frame_the_signature(data, version):
    event = built(data.draw(drafts(version)), version)
    forged = {**event.pdu, "content": {**event.content, "forged": 1}}
    assert not has_valid_content_hash(forged)
    moved = {**event.pdu, "depth": event.depth + 1}
    assert not verify_event_signature(moved, version, SERVER, KEY.verify_key)
    if not version.has_chosen_event_ids:
        assert event_id_of_pdu(moved, version) != event.event_id


@pytest.mark.parametrize("hashes", [None, {}, {"sha256": 1}, {"sha256": "ä"}, {"sha256": ""}, "x"])
def test_a_missing_content_hash_is_not_valid(hashes):
    pdu = {**built(draft(room_version("12")), room_version("12")).pdu, "hashes": hashes}
    assert not has_valid_content_hash(pdu)


@pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=ROOM_VERSIONS)
def test_our_own_bad_events_are_not_built(version):
    with pytest.raises(TooLarge):
        built(draft(version, content={"body": "x" * 65_536}), version)
    with pytest.raises(TooLarge):
        built(draft(version, type="x" * 256), version)
    with pytest.raises(BadJson):
        built(draft(version, sender="alice"), version)
    with pytest.raises(UnsafeValue):
        built(draft(version, content={"body": "\ud800"}), version)
    if version.strict_canonical_json:
        with pytest.raises(UnsafeValue):
            built(draft(version, content={"number": 1.5}), version)
    else:
        assert built(draft(version, content={"number": 1.5}), version).content["number"] == 1.5


def must_sign(name, **fields):
    version = room_version(name)
    return servers_that_must_sign(built(draft(version, **fields), version))


def test_who_must_sign():
    assert must_sign("12") == {SERVER}
    assert must_sign("1", event_id="$a:other.example.org") == {SERVER, "other.example.org"}
    join = {"membership": "join", "join_authorised_via_users_server": "@bob:resident.example.org"}
    assert must_sign("7", type="m.room.member", content=join) == {SERVER}
    assert must_sign("8", type="m.room.member", content=join) == {SERVER, "resident.example.org"}
    invite = {"membership": "invite", "third_party_invite": {"signed": {}}}
    assert must_sign("10", type="m.room.member", content=invite) == set()
    assert must_sign("10", type="m.room.message", content=invite) == {SERVER}
    assert must_sign("2", type="m.room.member", content=invite) == {SERVER}


@pytest.mark.parametrize("authoriser", ["bob", 7, {}, []])
def test_an_authoriser_is_a_user(authoriser):
    join = {"membership": "join", "join_authorised_via_users_server": authoriser}
    with pytest.raises(BadJson):
        must_sign("10", type="m.room.member", content=join)

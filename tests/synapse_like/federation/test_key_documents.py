"""Key documents that lie, and those that do not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.federation.keys.documents import (
    LONGEST_VALIDITY_MS,
    MOST_KEYS,
    BadKeyDocument,
    ServerKey,
    read_document,
)
from tests.kit.pdus import safe_json
from tests.kit.remote_server import DAY_MS, RemoteServer

SERVER = RemoteServer("them.example")
OTHER = RemoteServer("other.example", "o1")
NOW_MS = SERVER.key_document()["valid_until_ts"] - DAY_MS
OLD = {"ed25519:old": {"key": OTHER.public_key, "expired_ts": 123}}


def read(document: Any) -> list[ServerKey]:
    return read_document(document, SERVER.name, NOW_MS)


def test_a_good_document() -> None:
    document = SERVER.key_document(old_verify_keys=OLD)
    (current, old) = read(document)
    assert (current.name, current.is_old) == (("them.example", "ed25519:r1"), False)
    assert current.valid_until_ms == document["valid_until_ts"]
    assert (old.name, old.is_old, old.valid_until_ms) == (("them.example", "ed25519:old"), True, 123)
    assert old.is_valid_at(123) and not old.is_valid_at(124)
    assert json.loads(current.document)["verify_keys"] == SERVER.key_document()["verify_keys"]


def test_validity_is_believed_for_a_week_at_most() -> None:
    (key,) = read(SERVER.key_document(valid_until_ts=2**53 - 1))
    assert key.valid_until_ms == NOW_MS + LONGEST_VALIDITY_MS
    (_, old) = read(
        SERVER.key_document(old_verify_keys={"ed25519:old": {"key": OTHER.public_key, "expired_ts": 2**53 - 1}})
    )
    assert old.valid_until_ms == NOW_MS


def test_what_is_not_known_is_passed_over_and_kept_in_the_document() -> None:
    keys = {SERVER.key_id: {"key": SERVER.public_key}, "rsa:1": {"key": "?"}}
    (key,) = read(SERVER.key_document(verify_keys=keys, tls_fingerprints=[]))
    assert json.loads(key.document)["tls_fingerprints"] == []
    read_document(json.loads(key.document), SERVER.name, NOW_MS)


def test_signatures_of_others_are_not_kept() -> None:
    (key,) = read(OTHER.signed(SERVER.key_document()))
    assert list(json.loads(key.document)["signatures"]) == [SERVER.name]


def without_key(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, signed with a key that it does not hold."""
    return dict(RemoteServer(SERVER.name, "r1").signed({**document, "signatures": {}}))


LIES = {
    "another server's": OTHER.key_document(),
    "another server's name in it": SERVER.key_document(server_name="evil.example"),
    "for us, signed by another": {**OTHER.key_document(), "server_name": SERVER.name},
    "changed after signing": {**SERVER.key_document(), "valid_until_ts": NOW_MS + 5},
    "signed with a key that is not in it": without_key(SERVER.key_document()),
    "signed with an old key of it": OTHER.signed({**SERVER.key_document(old_verify_keys=OLD), "signatures": {}}),
    "not signed": {key: value for key, value in SERVER.key_document().items() if key != "signatures"},
    "signatures are a list": {**SERVER.key_document(), "signatures": []},
    "no keys": SERVER.key_document(verify_keys={}),
    "keys are a list": SERVER.key_document(verify_keys=[]),
    "key is no object": SERVER.key_document(verify_keys={SERVER.key_id: SERVER.public_key}),
    "key is no base64": SERVER.key_document(verify_keys={SERVER.key_id: {"key": "$$"}}),
    "key is short": SERVER.key_document(verify_keys={SERVER.key_id: {"key": "AAAA"}}),
    "too many keys": SERVER.key_document(
        verify_keys={SERVER.key_id: {"key": SERVER.public_key}}
        | {f"ed25519:{n}": {"key": OTHER.public_key} for n in range(MOST_KEYS)}
    ),
    "a key id of 300 characters": SERVER.key_document(
        verify_keys={SERVER.key_id: {"key": SERVER.public_key}, "ed25519:" + "x" * 300: {"key": OTHER.public_key}}
    ),
    "larger than 64 KB": SERVER.key_document(more="x" * 70_000),
    "valid until a text": SERVER.key_document(valid_until_ts="later"),
    "valid until a fraction": SERVER.key_document(valid_until_ts=1.5),
    "valid until true": SERVER.key_document(valid_until_ts=True),
    "valid until before 1970": SERVER.key_document(valid_until_ts=-1),
    "valid until for ever": SERVER.key_document(valid_until_ts=10**30),
    "old key without an end": SERVER.key_document(old_verify_keys={"ed25519:old": {"key": OTHER.public_key}}),
    "a list": [SERVER.key_document()],
    "a text": "key",
    "nothing": None,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_lies(lie: Any) -> None:
    with pytest.raises(BadKeyDocument):
        read(lie)


def test_a_document_nested_without_end() -> None:
    nested: Any = []
    for _ in range(400):
        nested = [nested]
    with pytest.raises(BadKeyDocument):
        read({**SERVER.key_document(), "x": nested})


@given(safe_json)
def test_any_json(value: Any) -> None:
    with pytest.raises(BadKeyDocument):
        read(value)


FIELDS = ("server_name", "valid_until_ts", "verify_keys", "old_verify_keys", "signatures")


@given(st.dictionaries(st.sampled_from(FIELDS), safe_json, min_size=1))
def test_a_document_changed_by_others_is_refused(changes: dict[str, Any]) -> None:
    good = SERVER.key_document()
    changed = {**good, **changes}
    if changed == good:
        return
    with pytest.raises(BadKeyDocument):
        read(changed)


@given(st.dictionaries(st.sampled_from([*FIELDS[1:4], "more"]), safe_json))
def test_a_document_signed_with_anything_in_it_is_read_or_refused(changes: dict[str, Any]) -> None:
    document = {key: value for key, value in SERVER.key_document().items() if key != "signatures"}
    signed = SERVER.signed({**document, **changes})
    try:
        keys = read(signed)
    except BadKeyDocument:
        return
    assert SERVER.public_key in [key.key.to_base64() for key in keys]

"""Keys as text are those of signedjson."""

from __future__ import annotations

import io

import pytest
import signedjson.key
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_sign_BYTES

from synapse_like.matrix.errors import InvalidParam
from synapse_like.matrix.signing_keys import (
    SigningKey,
    VerifyKey,
    decode_base64,
    encode_base64,
    read_signing_keys,
    write_signing_keys,
)

seeds = st.binary(min_size=32, max_size=32)
names = st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True)


@given(st.lists(st.builds(SigningKey.from_seed, names, seeds), min_size=1, max_size=3))
def test_a_file_is_read_as_signedjson_reads_it(keys):
    text = write_signing_keys(keys)
    assert read_signing_keys(text) == keys
    theirs = signedjson.key.read_signing_keys(io.StringIO(text))
    assert [(key.version, bytes(key)) for key in theirs] == [(key.version, bytes(key.key)) for key in keys]


def test_signedjson_writes_what_we_read():
    key = signedjson.key.generate_signing_key("a_1")
    stream = io.StringIO()
    signedjson.key.write_signing_keys(stream, [key])
    assert bytes(read_signing_keys("# a comment\n\n" + stream.getvalue())[0].key) == bytes(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n# nothing\n",
        "ed25519 a",
        "rsa a AAAA",
        "ed25519 a AAAA",
        "ed25519 a-b " + "A" * 43,
        "ed25519 a " + "*" * 43,
    ],
)
def test_a_file_without_good_keys_is_refused(text):
    with pytest.raises(InvalidParam):
        read_signing_keys(text)


def test_a_bad_line_is_named():
    good = SigningKey.from_seed("a", bytes(32)).to_line()
    with pytest.raises(InvalidParam, match="Line 3"):
        read_signing_keys(f"{good}\n\nnonsense\n")


@given(st.binary(max_size=50))
def test_base64_comes_in_every_dress(data):
    text = encode_base64(data)
    assert "=" not in text
    assert decode_base64(text) == data
    assert decode_base64(text + "=" * (-len(text) % 4)) == data
    assert decode_base64(text.replace("+", "-").replace("/", "_")) == data


@pytest.mark.parametrize("text", ["a", "a b=", "ä", "AA\n"])
def test_other_text_is_no_base64(text):
    with pytest.raises(InvalidParam):
        decode_base64(text)


@given(seeds, st.binary(max_size=60), st.integers(0, crypto_sign_BYTES * 8 - 1))
def test_a_signature_verifies_and_a_flipped_bit_does_not(seed, message, bit):
    key = SigningKey.from_seed("1", seed)
    signature = decode_base64(key.signature(message))
    public = VerifyKey.from_base64(key.key_id, key.verify_key.to_base64())
    assert public.verifies(message, signature)
    assert not public.verifies(message + b"x", signature)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not public.verifies(message, bytes(flipped))
    assert not public.verifies(message, signature[:-1])


@pytest.mark.parametrize(("key_id", "text"), [("rsa:1", "A" * 43), ("ed25519:1", "AAAA"), ("ed25519:1", "?")])
def test_other_public_keys_are_refused(key_id, text):
    with pytest.raises(InvalidParam):
        VerifyKey.from_base64(key_id, text)

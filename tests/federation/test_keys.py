"""Signing keys: what a server says of itself, and what each says of the other as a notary."""

import json
import ssl
import time
from http.client import HTTPSConnection
from typing import Any

import pytest
from signedjson.key import decode_verify_key_bytes
from signedjson.sign import verify_signed_json
from unpaddedbase64 import decode_base64

from tests.federation.sides import Side
from tests.kit import certificates
from tests.kit.peers import Peer
from tests.kit.synapse import Partner


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_server_signs_its_keys(ours: Peer, partner: Partner, is_ours: bool) -> None:
    side: Side = ours if is_ours else partner
    document = _ask(side, "GET", "/_matrix/key/v2/server")
    assert document["server_name"] == side.server_name
    _check_signature(document, side.server_name, document)


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_notary_vouches_for_the_other(ours: Peer, partner: Partner, is_ours: bool) -> None:
    """The reply holds the other's document, signed by the other and by the notary."""
    notary, other = (ours, partner) if is_ours else (partner, ours)
    own, others = (_ask(side, "GET", "/_matrix/key/v2/server") for side in (notary, other))
    wanted: Any = {
        "server_keys": {
            other.server_name: {
                key_id: {"minimum_valid_until_ts": int(time.time() * 1000)} for key_id in others["verify_keys"]
            }
        }
    }
    for found in (
        _ask(notary, "POST", "/_matrix/key/v2/query", wanted),
        _ask(notary, "GET", f"/_matrix/key/v2/query/{other.server_name}"),
    ):
        (document,) = found["server_keys"]
        assert document["server_name"] == other.server_name
        assert document["verify_keys"] == others["verify_keys"]
        _check_signature(document, other.server_name, others)
        _check_signature(document, notary.server_name, own)


def _check_signature(document: Any, signer: str, keys: Any) -> None:
    for key_id, key in keys["verify_keys"].items():
        verify_key = decode_verify_key_bytes(key_id, decode_base64(key["key"]))
        verify_signed_json(document, signer, verify_key)


def _ask(side: Side, method: str, path: str, body: Any = None) -> Any:
    host, _, port = side.server_name.partition(":")
    context = ssl.create_default_context(cafile=str(certificates.authority_file()))
    connection = HTTPSConnection(host, int(port), timeout=20, context=context)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
        assert response.status == 200, text
        return json.loads(text)
    finally:
        connection.close()

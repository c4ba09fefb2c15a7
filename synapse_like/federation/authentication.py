"""Which server sent a request: the signature in its Authorization header. Source: "Request Authentication"."""

import json
from collections.abc import Callable
from typing import Any, Final

from synapse_like.federation.errors import BadServerSignature
from synapse_like.federation.keys import KeyRing
from synapse_like.federation.keys.documents import LONGEST_KEY_ID
from synapse_like.federation.policy import ServerPolicy
from synapse_like.federation.xmatrix import XMatrix, signed_request
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.matrix.errors import InvalidParam, NotJson, Unauthorized
from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.matrix.signing_keys import VerifyKey, decode_base64
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.request import Request

MOST_HEADERS: Final = 5
"""A server sends one for each of its keys; it rarely has more than one."""


class SignatureAuthenticator:
    """Knows the signatures of other servers."""

    def __init__(self, own_name: str, policy: ServerPolicy, keys: KeyRing, clock: Clock) -> None:
        self._own_name = own_name
        self._policy = policy
        self._keys = keys
        self._clock = clock
        self.on_heard: list[Callable[[str], object]] = []
        """Called with the name of each server that has proven to be there; must be cheap."""

    async def authenticate_server(self, request: Request[Any]) -> str:
        """Return the server that signed the request.

        Raises Unauthorized if nobody did, or not as it must be, and ServerDenied if we do not talk with that server.
        """
        headers = [XMatrix.of(text) for text in request.headers.getall("authorization")[:MOST_HEADERS]]
        origin = self._origin_of(headers)
        self._policy.check(origin)
        signatures = {header.key_id: _signature(header) for header in headers if _is_key_id(header.key_id)}
        keys = await self._keys.usable_keys(origin, list(signatures), self._clock.now_ms())
        if not self._is_signed(request, origin, keys, signatures):
            raise BadServerSignature(f"The signature of the request by {origin} is wrong")
        for callback in self.on_heard:
            callback(origin)
        return origin

    def _origin_of(self, headers: list[XMatrix]) -> str:
        if not headers:
            raise Unauthorized("Missing Authorization header")
        origins = {header.origin for header in headers}
        if len(origins) > 1:
            raise Unauthorized("The Authorization headers name different servers")
        if any(header.destination not in (None, self._own_name) for header in headers):
            raise Unauthorized("The Authorization header is meant for another server")
        (origin,) = origins
        if not is_valid_server_name(origin):
            raise Unauthorized("The Authorization header does not name a server")
        return origin

    def _is_signed(
        self, request: Request[Any], origin: str, keys: list[VerifyKey], signatures: dict[str, bytes]
    ) -> bool:
        """Whether one of the keys signed the request.

        Servers send the body as the canonical JSON that they have signed, so it is tried as it came; only if that fails
        it is read and written anew.
        """
        body = request.raw_body or None

        def verifies(body: bytes | None) -> bool:
            message = signed_request(request.method, request.target, origin, self._own_name, body)
            return any(key.verifies(message, signatures[key.key_id]) for key in keys)

        if verifies(body):
            return True
        canonical = _canonical(body)
        return canonical != body and verifies(canonical)


def _signature(header: XMatrix) -> bytes:
    try:
        return decode_base64(header.signature)
    except InvalidParam:
        raise Unauthorized("The signature in the Authorization header is not base64") from None


def _is_key_id(key_id: str) -> bool:
    return key_id.startswith("ed25519:") and len(key_id) <= LONGEST_KEY_ID and "\0" not in key_id


def _canonical(body: bytes | None) -> bytes | None:
    """The canonical JSON of a body. Raises NotJson, and UnsafeValue for what has none.

    Read with the standard library, which keeps integers of any size, as events of old rooms hold them.
    """
    if body is None:
        return None
    try:
        return canonical_json(json.loads(body))
    except (ValueError, RecursionError):
        raise NotJson() from None

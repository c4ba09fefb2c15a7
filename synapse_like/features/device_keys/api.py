"""The endpoints of keys. Source: client-server API, "Key management API", "Cross-signing"."""

from typing import Any, Final

import msgspec

from synapse_like.features.device_keys.checks import MASTER, SELF_SIGNING, USER_SIGNING
from synapse_like.features.device_keys.cross_signing import CrossSigning
from synapse_like.features.device_keys.query import DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS, KeyQuery
from synapse_like.features.device_keys.signatures import KeySignatures
from synapse_like.features.device_keys.uploads import KeyUploads, Upload
from synapse_like.features.device_lists import DEVICE_LISTS, SIGNED_USERS
from synapse_like.features.one_time_keys import ONE_TIME_KEYS, OneTimeKeys
from synapse_like.matrix.errors import BadJson, InvalidParam
from synapse_like.toolkit.http.endpoint import Auth, Balance, Timeout, endpoint
from synapse_like.toolkit.http.paths import client
from synapse_like.toolkit.http.reply import Reply
from synapse_like.toolkit.http.request import Request

_SIGNED_CURVE25519: Final = "signed_curve25519"


class UploadBody(msgspec.Struct):
    """The body of POST /keys/upload."""

    device_keys: dict[str, Any] | None = None
    one_time_keys: dict[str, Any] | None = None
    fallback_keys: dict[str, Any] | None = None
    unstable_fallback_keys: dict[str, Any] | None = msgspec.field(default=None, name="org.matrix.msc2732.fallback_keys")


class QueryBody(msgspec.Struct):
    """The body of POST /keys/query."""

    device_keys: dict[str, list[str]]
    timeout: int = DEFAULT_TIMEOUT_MS


class ClaimBody(msgspec.Struct):
    """The body of POST /keys/claim."""

    one_time_keys: dict[str, dict[str, str]]
    timeout: int = DEFAULT_TIMEOUT_MS


class CrossSigningBody(msgspec.Struct):
    """The body of POST /keys/device_signing/upload."""

    master_key: dict[str, Any] | None = None
    self_signing_key: dict[str, Any] | None = None
    user_signing_key: dict[str, Any] | None = None
    auth: dict[str, Any] | None = None


class DeviceKeysApi:
    """Uploading, asking, claiming."""

    def __init__(self, uploads: KeyUploads, query: KeyQuery, one_time_keys: OneTimeKeys) -> None:
        self._uploads = uploads
        self._query = query
        self._one_time_keys = one_time_keys

    @endpoint(
        "POST",
        client("/keys/upload"),
        client("/keys/upload/{device_id}"),
        auth=Auth.GUEST,
        body=UploadBody,
        balance=Balance.USER,
        writes=(DEVICE_LISTS.name, ONE_TIME_KEYS.name),
    )
    async def upload(self, request: Request[UploadBody]) -> dict[str, Any]:
        """Store keys of this device; old clients name it in the path."""
        body = request.body
        if request.params.get("device_id") not in (None, request.requester.device_id):
            raise InvalidParam("Keys can only be uploaded for the device of this session")
        fallbacks = body.fallback_keys or body.unstable_fallback_keys or {}
        upload = Upload(body.device_keys, body.one_time_keys or {}, fallbacks)
        counts = await self._uploads.upload(request.requester, upload)
        return {"one_time_key_counts": {_SIGNED_CURVE25519: 0, **counts}}

    @endpoint(
        "POST", client("/keys/query"), auth=Auth.GUEST, body=QueryBody, balance=Balance.USER, timeout=Timeout.SLOW
    )
    async def query(self, request: Request[QueryBody]) -> Reply:
        """The keys of users."""
        body = request.body
        return Reply(200, await self._query.answer(request.requester.user_id, body.device_keys, _bounded(body.timeout)))

    @endpoint(
        "POST",
        client("/keys/claim"),
        auth=Auth.GUEST,
        body=ClaimBody,
        balance=Balance.USER,
        writes=(ONE_TIME_KEYS.name,),
        timeout=Timeout.SLOW,
    )
    async def claim(self, request: Request[ClaimBody]) -> dict[str, Any]:
        """A key of each of these devices, to begin a conversation with."""
        claims = request.body.one_time_keys
        local = {user_id: wanted for user_id, wanted in claims.items() if self._query.is_local(user_id)}
        found = await self._one_time_keys.claim_all(local)
        failures: dict[str, Any] = {}
        if remote := {user_id: claims[user_id] for user_id in claims.keys() - local.keys()}:
            theirs, failures = await self._query.remote.claim(remote, _bounded(request.body.timeout))
            found |= theirs
        return {"one_time_keys": found, "failures": failures}


class CrossSigningApi:
    """Cross-signing keys, and signatures of keys."""

    def __init__(self, cross_signing: CrossSigning, signatures: KeySignatures) -> None:
        self._cross_signing = cross_signing
        self._signatures = signatures

    @endpoint(
        "POST",
        client("/keys/device_signing/upload"),
        body=CrossSigningBody,
        balance=Balance.USER,
        writes=(DEVICE_LISTS.name,),
    )
    async def upload_keys(self, request: Request[CrossSigningBody]) -> dict[str, Any]:
        """Store cross-signing keys."""
        body = request.body
        given = {MASTER: body.master_key, SELF_SIGNING: body.self_signing_key, USER_SIGNING: body.user_signing_key}
        keys = {usage: key for usage, key in given.items() if key is not None}
        await self._cross_signing.upload(request.requester, keys, body.auth)
        return {}

    @endpoint(
        "POST",
        client("/keys/signatures/upload"),
        body=dict[str, Any],
        balance=Balance.USER,
        writes=(DEVICE_LISTS.name, SIGNED_USERS.name),
    )
    async def upload_signatures(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """Store signatures of keys."""
        if not all(isinstance(objects, dict) for objects in request.body.values()):
            raise BadJson("The body must be an object of objects")
        return {"failures": await self._signatures.upload(request.requester.user_id, request.body)}


def _bounded(timeout_ms: int) -> int:
    return max(0, min(timeout_ms, MAX_TIMEOUT_MS))

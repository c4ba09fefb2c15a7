"""Our own keys: those that we sign with, those that we signed with once, and the document that tells others.

Rotation: the first key of the signing key file signs, all keys of the file are published as current, and keys of
`old_signing_keys` as old ones.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from synapse_like.federation.config import FederationConfig
from synapse_like.federation.keys.documents import ServerKey
from synapse_like.matrix.signatures import sign_json
from synapse_like.matrix.signing_keys import SigningKey, VerifyKey

SIGNED_AGAIN_MS: Final = 5 * 60 * 1000
SHORTEST_VALIDITY_MS: Final = 2 * 60 * 60 * 1000
"""No document is given out that ends within the hour, whatever `key_refresh_interval` says."""


class OwnKeys:
    """What others need to verify us."""

    def __init__(self, server_name: str, signing_keys: Sequence[SigningKey], config: FederationConfig) -> None:
        self.server_name = server_name
        self._signing_keys = tuple(signing_keys)
        self._old = {
            key_id: (VerifyKey.from_base64(key_id, old.key), old.expired_ts)
            for key_id, old in config.old_signing_keys.items()
            if all(key_id != key.key_id for key in signing_keys)
        }
        self._validity_ms = max(config.key_refresh_interval.ms, SHORTEST_VALIDITY_MS)
        self._document: dict[str, Any] = {}
        self._signed_ms = -SIGNED_AGAIN_MS

    def document(self, now_ms: int) -> Mapping[str, Any]:
        """Our key document, signed with all our current keys."""
        if not 0 <= now_ms - self._signed_ms < SIGNED_AGAIN_MS:
            self._document, self._signed_ms = self._new_document(now_ms), now_ms
        return self._document

    def countersigned(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Another server's document with our signature added: we have seen it."""
        return sign_json(document, self.server_name, self._signing_keys[0])

    def key(self, key_id: str, now_ms: int) -> ServerKey | None:
        """One of our keys, as those of other servers are known."""
        for signing_key in self._signing_keys:
            if signing_key.key_id == key_id:
                return self._known(signing_key.verify_key, now_ms + self._validity_ms, False, now_ms)
        if key_id in self._old:
            key, expired_ms = self._old[key_id]
            return self._known(key, expired_ms, True, now_ms)
        return None

    def _known(self, key: VerifyKey, until_ms: int, is_old: bool, now_ms: int) -> ServerKey:
        return ServerKey(self.server_name, key, until_ms, is_old, now_ms)

    def _new_document(self, now_ms: int) -> dict[str, Any]:
        document: dict[str, Any] = {
            "server_name": self.server_name,
            "valid_until_ts": now_ms + self._validity_ms,
            "verify_keys": {key.key_id: {"key": key.verify_key.to_base64()} for key in self._signing_keys},
            "old_verify_keys": {
                key_id: {"key": key.to_base64(), "expired_ts": expired_ms}
                for key_id, (key, expired_ms) in self._old.items()
            },
        }
        for key in self._signing_keys:
            document = sign_json(document, self.server_name, key)
        return document

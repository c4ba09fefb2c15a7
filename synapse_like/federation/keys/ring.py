"""The key ring: is this signed by the server that it is said to be of?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from synapse_like.federation.errors import BadServerSignature
from synapse_like.federation.keys.checking import Candidate, Signature, check_events
from synapse_like.federation.keys.documents import LONGEST_KEY_ID, ServerKey
from synapse_like.federation.keys.failures import Failure, Flaw
from synapse_like.federation.keys.fetching import KeyFetcher, Sources
from synapse_like.federation.keys.own import OwnKeys
from synapse_like.federation.keys.store import KeyName, KeyStore
from synapse_like.matrix.errors import BadJson
from synapse_like.matrix.events import Event
from synapse_like.matrix.policy_servers import POLICY_KEY_ID
from synapse_like.matrix.signatures import servers_that_must_sign, verify_json
from synapse_like.matrix.signing_keys import VerifyKey
from synapse_like.toolkit.clock import Clock

SIGNATURES_PER_SERVER: Final = 5
"""More signatures of one server than this are not looked at."""

AT_ONCE: Final = 25
"""How many events a thread checks before another may have its turn."""

IN_PLACE: Final = 2
"""So few events are checked at once: handing them to a thread would cost more."""


class Threads(Protocol):
    """Runs plain functions beside the reactor."""

    async def run_all(self, function: Any, batches: Sequence[Any], *arguments: Any) -> list[Any]:
        """Return the results of calling the function for each batch."""


class KeyRing:
    """Verifies objects and events with the keys of their servers, which it knows, or finds out."""

    def __init__(self, own: OwnKeys, store: KeyStore, fetcher: KeyFetcher, threads: Threads, clock: Clock) -> None:
        self._own = own
        self._store = store
        self._fetcher = fetcher
        self._threads = threads
        self._clock = clock

    async def verify_json(self, server: str, value: Mapping[str, Any], *, valid_at_ms: int) -> None:
        """Raise BadServerSignature unless the object is signed by the server with a key valid at that time."""
        key_ids = _key_ids(value.get("signatures"), server)
        keys = await self.usable_keys(server, key_ids, valid_at_ms, Sources.SERVER_FIRST)
        if not any(verify_json(value, server, key) for key in keys):
            raise BadServerSignature(f"The signature by {server} is wrong")

    async def usable_keys(
        self, server: str, key_ids: Sequence[str], valid_at_ms: int, sources: Sources = Sources.SERVER_FIRST
    ) -> list[VerifyKey]:
        """Return those of the named keys of a server that were valid then. Raises BadServerSignature if none was."""
        if not key_ids:
            raise BadServerSignature(f"It is not signed by {server}")
        known = await self.find_keys({(server, key_id): valid_at_ms for key_id in key_ids}, sources)
        usable = [key.key for key in known.values() if key.is_valid_at(valid_at_ms)]
        if not usable:
            what = "is not valid any more" if known else "cannot be found"
            raise BadServerSignature(f"The key {', '.join(key_ids)} of {server} {what}")
        return usable

    async def is_signed_by_notary(self, server: str, value: Mapping[str, Any]) -> bool:
        """Whether the object is signed by a trusted server, which only that server itself is asked about."""
        now_ms = self._clock.now_ms()
        try:
            key_ids = _key_ids(value.get("signatures"), server)
            keys = await self.usable_keys(server, key_ids, now_ms, Sources.SERVER_ONLY)
        except BadServerSignature:
            return False
        return any(verify_json(value, server, key) for key in keys)

    async def verify_events(
        self,
        events: Sequence[Event],
        *,
        with_hashes: bool = False,
        keys: Mapping[KeyName, ServerKey] | None = None,
    ) -> list[Failure]:
        """The events that must be dropped because of their signatures; with `with_hashes` also those that must be
        redacted because of their content hash (`Flaw.WRONG_HASH`). Events that are not among them are good.

        Checks all signatures that the room version asks for, with keys valid at the time of the event where it asks
        for that. Keys of all servers are fetched at once; the arithmetic is done in threads. With `keys` no others are
        looked for.
        """
        failures: list[Failure] = []
        claims = []
        for event in events:
            claim = _claim(event)
            if isinstance(claim, Failure):
                failures.append(claim)
            else:
                claims.append(claim)
        if keys is None:
            keys = await self.find_keys(_needed(claims), Sources.NOTARIES_FIRST)
        candidates = []
        for claim in claims:
            candidate = _candidate(claim, keys)
            if isinstance(candidate, Failure):
                failures.append(candidate)
            else:
                candidates.append(candidate)
        return failures + await self._check(candidates, with_hashes)

    async def find_keys(self, needed: Mapping[KeyName, int], sources: Sources) -> dict[KeyName, ServerKey]:
        """Return keys by server and key id, those that can be found.

        `needed` says until when each should be valid, in milliseconds. From memory, the database, or the network; what
        is not valid that long after all is returned too.
        """
        missing = self._missing(needed)
        if missing:
            await self._store.load(missing)
            missing = self._missing(missing)
        if missing:
            wanted: dict[str, dict[str, int]] = {}
            for (server, key_id), until_ms in missing.items():
                wanted.setdefault(server, {})[key_id] = until_ms
            await self._fetcher.fetch(wanted, sources)
        found = {name: self._known(name) for name in needed}
        return {name: key for name, key in found.items() if key is not None}

    async def _check(self, candidates: Sequence[Candidate], with_hashes: bool) -> list[Failure]:
        if len(candidates) <= IN_PLACE:
            return check_events(candidates, with_hashes)
        batches = [candidates[at : at + AT_ONCE] for at in range(0, len(candidates), AT_ONCE)]
        return [each for found in await self._threads.run_all(check_events, batches, with_hashes) for each in found]

    def _missing(self, needed: Mapping[KeyName, int]) -> dict[KeyName, int]:
        """Those that are not known, or not as valid as they are to be. Ours and old ones will not get better."""
        return {
            name: until_ms
            for name, until_ms in needed.items()
            if name[0] != self._own.server_name and not self._store.holds(name, until_ms)
        }

    def _known(self, name: KeyName) -> ServerKey | None:
        if name[0] == self._own.server_name:
            return self._own.key(name[1], self._clock.now_ms())
        return self._store.peek(name)


@dataclass(frozen=True, slots=True)
class _Claim:
    """An event, and by which keys it says that it is signed: key id and signature, by server."""

    event: Event
    signatures: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def valid_at_ms(self) -> int:
        """When the keys must have been valid; 0 if the room version does not ask."""
        return self.event.origin_server_ts if self.event.room_version.enforces_key_validity else 0


def keys_named_by(event: Event) -> dict[KeyName, int]:
    """The keys by which an event says that it is signed, and when each must have been valid."""
    claim = _claim(event)
    return {} if isinstance(claim, Failure) else _needed([claim])


def _claim(event: Event) -> _Claim | Failure:
    try:
        servers = servers_that_must_sign(event)
    except BadJson as error:
        return Failure(event, Flaw.NO_SIGNATURE, error.message)
    claim = _Claim(event)
    signatures: Any = event.pdu.get("signatures")
    for server in servers:
        key_ids = [key_id for key_id in _key_ids(signatures, server) if key_id != POLICY_KEY_ID]
        if not key_ids:
            return Failure(event, Flaw.NO_SIGNATURE, f"It is not signed by {server}")
        claim.signatures[server] = {key_id: signatures[server][key_id] for key_id in key_ids}
    return claim


def _needed(claims: Iterable[_Claim]) -> dict[KeyName, int]:
    needed: dict[KeyName, int] = {}
    for claim in claims:
        for server, signatures in claim.signatures.items():
            for key_id in signatures:
                needed[server, key_id] = max(needed.get((server, key_id), 0), claim.valid_at_ms)
    return needed


def _candidate(claim: _Claim, keys: Mapping[KeyName, ServerKey]) -> Candidate | Failure:
    found = []
    for server, signatures in claim.signatures.items():
        known = [key for key_id in signatures if (key := keys.get((server, key_id))) is not None]
        usable = [key.key for key in known if key.is_valid_at(claim.valid_at_ms)]
        if not usable:
            flaw = Flaw.EXPIRED_KEY if known else Flaw.NO_KEY
            return Failure(claim.event, flaw, f"{server}, {', '.join(signatures)}: {flaw.value}")
        found.append([Signature(key, signatures[key.key_id]) for key in usable])
    return Candidate(claim.event, found)


def _key_ids(signatures: Any, server: str) -> list[str]:
    """Return the ids of the keys with which a server is said to have signed; what cannot be a key id is left out."""
    by_key = signatures.get(server) if isinstance(signatures, dict) else None
    if not isinstance(by_key, dict):
        return []
    fitting = [
        key_id
        for key_id, text in by_key.items()
        if key_id.startswith("ed25519:")
        and "\0" not in key_id
        and len(key_id) <= LONGEST_KEY_ID
        and isinstance(text, str)
    ]
    return fitting[:SIGNATURES_PER_SERVER]

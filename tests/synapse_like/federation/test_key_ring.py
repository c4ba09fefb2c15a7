"""The key ring: what it believes, what it asks for, how often, and of whom."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from synapse_like.federation.config import FederationConfig, OldSigningKey, TrustedKeyServer
from synapse_like.federation.errors import BadServerSignature
from synapse_like.federation.keys import Flaw, KeyRing
from synapse_like.federation.keys.documents import LONGEST_VALIDITY_MS
from synapse_like.federation.keys.fetching import ASKED_AGAIN_MS, LONGEST_S, KeyFetcher
from synapse_like.federation.keys.notaries import Notaries
from synapse_like.federation.keys.notary import Notary
from synapse_like.federation.keys.own import OwnKeys
from synapse_like.federation.keys.store import KeyStore
from synapse_like.matrix.errors import ConnectionFailed
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import room_version
from synapse_like.matrix.signatures import build_event, sign_event, sign_json, verify_json
from synapse_like.matrix.signing_keys import SigningKey
from synapse_like.toolkit.db import Database, DatabaseUnavailable, migrate, migrations_in
from synapse_like.toolkit.threads import Threads
from tests.kit.clock import START_MS, FakeClock
from tests.kit.pdus import draft

REACTOR: Any = reactor
US = "us.example"
OUR_KEY = SigningKey.from_seed("ours", b"u" * 32)
OUR_OLD_KEY = SigningKey.from_seed("before", b"v" * 32)
DAY_MS = 24 * 60 * 60 * 1000
V10 = room_version("10")


def key_of(server: str, version: str = "k1") -> SigningKey:
    """The key of a server, always the same."""
    return SigningKey.from_seed(version, (server + version).encode().ljust(32, b".")[:32])


class Net:
    """All other servers. `down` ones do not answer; `documents` are what the others publish."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.down: set[str] = set()
        self.keys: dict[str, list[SigningKey]] = {}
        self.old: dict[str, dict[str, int]] = {}
        self.validity_ms = DAY_MS
        self.asked: Counter[str] = Counter()
        self.notary_questions: list[dict[str, Any]] = []
        self.lie: Any = lambda document: document
        self.known_to_notary: dict[str, dict[str, Any]] = {}

    def document(self, server: str) -> dict[str, Any]:
        keys = self.keys.get(server) or [key_of(server)]
        document: dict[str, Any] = {
            "server_name": server,
            "valid_until_ts": self.clock.now_ms() + self.validity_ms,
            "verify_keys": {key.key_id: {"key": key.verify_key.to_base64()} for key in keys},
            "old_verify_keys": {
                f"ed25519:{version}": {"key": key_of(server, version).verify_key.to_base64(), "expired_ts": expired_ms}
                for version, expired_ms in self.old.get(server, {}).items()
            },
        }
        for key in keys:
            document = sign_json(document, server, key)
        return document

    async def get(self, destination: str, path: str, **_: Any) -> Any:
        self.asked[destination] += 1
        await self.pause()
        if destination in self.down:
            raise ConnectionFailed("down")
        assert path == "/_matrix/key/v2/server"
        return self.lie(self.document(destination))

    async def post(self, destination: str, path: str, body: Any, **_: Any) -> Any:
        self.asked[f"{destination} for others"] += 1
        self.notary_questions.append(body["server_keys"])
        await self.pause()
        if destination in self.down:
            raise ConnectionFailed("down")
        assert path == "/_matrix/key/v2/query"
        known = [self.known_to_notary.get(server) for server in body["server_keys"]]
        documents = [sign_json(document, destination, key_of(destination)) for document in known if document]
        return {"server_keys": self.lie(documents)}

    async def pause(self) -> None:
        """Let others run before the answer comes."""
        waiting: Deferred[None] = Deferred()
        REACTOR.callLater(0, waiting.callback, None)
        await waiting


class World:
    """A key ring of ours, the others, and time."""

    def __init__(self, database: Database, net: Net, trusted: Iterable[TrustedKeyServer] = ()) -> None:
        self.net, self.clock = net, net.clock
        config = FederationConfig(
            trusted_key_servers=tuple(trusted),
            old_signing_keys={"ed25519:before": OldSigningKey(OUR_OLD_KEY.verify_key.to_base64(), START_MS - DAY_MS)},
        )
        self.own = OwnKeys(US, [OUR_KEY, key_of(US, "next")], config)
        store = KeyStore(database)
        # The notaries gather questions for one turn of the reactor, which stands still in a clock of the tests.
        self.notaries = Notaries(config.trusted_key_servers, net, Immediate(net.clock))
        self.fetcher = KeyFetcher(net, self.notaries, store, net.clock)
        self.ring = KeyRing(self.own, store, self.fetcher, Threads(reactor), net.clock)
        self.notaries.is_signed = self.ring.is_signed_by_notary
        self.notary = Notary(self.own, store, self.fetcher, net.clock)


class Immediate(FakeClock):
    """A clock whose short waits pass on the real reactor."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def call_later(self, seconds: float, call: Any) -> Any:
        return REACTOR.callLater(seconds, call)


@pytest.fixture
async def world(database: Database) -> World:
    migrations = migrations_in("synapse_like.federation")
    await database.write(lambda txn: migrate(txn, database.engine.name, migrations))
    return World(database, Net(FakeClock()))


def again(world: World, *trusted: str, database: Database) -> World:
    """Another process with the same database and network; `trusted` are its notaries."""
    return World(database, world.net, [TrustedKeyServer(name) for name in trusted])


def event(
    server: str, key: SigningKey | None = None, *, version: str = "10", at_ms: int = START_MS, **fields: Any
) -> Event:
    """A signed event of a user of the server."""
    made = room_version(version)
    fields = {"sender": f"@user:{server}", "origin_server_ts": at_ms, "event_id": f"$x:{server}", **fields}
    if not made.has_chosen_event_ids:
        del fields["event_id"]
    return build_event(draft(made, **fields), room_version=made, signing_key=key or key_of(server), server_name=server)


def tampered(good: Event, **changes: Any) -> Event:
    """The event with something changed after it was signed."""
    return Event.from_pdu({**good.pdu, **changes}, good.room_version)


async def flaws(world: World, *events: Event, with_hashes: bool = False) -> list[tuple[int, Flaw]]:
    """Which of the events are bad, and how."""
    failures = await world.ring.verify_events(events, with_hashes=with_hashes)
    places = {id(each): at for at, each in enumerate(events)}
    return sorted(((places[id(failure.event)], failure.flaw) for failure in failures), key=lambda pair: pair[0])


class TestEvents:
    """Which events are good."""

    @pytest.mark.parametrize("version", ["1", "3", "6", "10", "11", "12"])
    async def test_each_failure_is_its_event_s_own(self, world: World, version: str) -> None:
        good = [event(f"s{n % 7}.example", version=version, depth=n) for n in range(60)]
        wrong_key = event("s1.example", SigningKey.from_seed("k1", b"x" * 32), version=version)
        nobody = Event.from_pdu({**good[0].pdu, "signatures": {}}, good[0].room_version)
        by_another = event("s1.example", version=version)
        by_another = Event.from_pdu(
            {**by_another.pdu, "signatures": {"s2.example": by_another.pdu["signatures"]["s1.example"]}},
            by_another.room_version,
        )
        content = tampered(good[3], content={"body": "changed"})
        protected = tampered(good[4], depth=9999)
        events = [*good[:10], wrong_key, *good[10:30], nobody, by_another, content, protected, *good[30:]]
        found = await flaws(world, *events, with_hashes=True)
        assert found == [
            (10, Flaw.WRONG_SIGNATURE),
            (31, Flaw.NO_SIGNATURE),
            (32, Flaw.NO_SIGNATURE),
            (33, Flaw.WRONG_HASH),
            (34, Flaw.WRONG_SIGNATURE),
        ]
        assert (33, Flaw.WRONG_HASH) not in await flaws(world, *events)
        assert max(world.net.asked.values()) == 1

    async def test_a_redacted_event_is_good_but_for_its_hash(self, world: World) -> None:
        redacted = event("s.example").redacted()
        assert await flaws(world, redacted) == []
        assert await flaws(world, redacted, with_hashes=True) == [(0, Flaw.WRONG_HASH)]

    async def test_the_authoriser_of_a_restricted_join_signs_too(self, world: World) -> None:
        content = {"membership": "join", "join_authorised_via_users_server": "@admin:auth.example"}
        join = event("s.example", type="m.room.member", state_key="@user:s.example", content=content)
        assert await flaws(world, join) == [(0, Flaw.NO_SIGNATURE)]
        signed_by_both = sign_event(join.pdu, V10, "auth.example", key_of("auth.example"))
        assert await flaws(world, Event.from_pdu(signed_by_both, V10)) == []

    async def test_our_own_events_need_nobody(self, world: World) -> None:
        events = [
            event(US, OUR_KEY),
            event(US, key_of(US, "next")),
            event(US, OUR_OLD_KEY, at_ms=START_MS - 2 * DAY_MS),
        ]
        assert await flaws(world, *events) == []
        assert await flaws(world, event(US, OUR_OLD_KEY), event(US, key_of(US, "k9"))) == [
            (0, Flaw.EXPIRED_KEY),
            (1, Flaw.NO_KEY),
        ]
        assert not world.net.asked

    @pytest.mark.parametrize(("version", "is_strict"), [("1", False), ("4", False), ("5", True), ("12", True)])
    async def test_validity_counts_from_version_5_on(self, world: World, version: str, is_strict: bool) -> None:
        world.net.old["s.example"] = {"k0": START_MS - DAY_MS}
        old = key_of("s.example", "k0")
        late = [
            event("s.example", version=version, at_ms=START_MS + LONGEST_VALIDITY_MS + 1),
            event("s.example", old, version=version, at_ms=START_MS),
        ]
        in_time = [
            event("s.example", version=version, at_ms=START_MS + DAY_MS),
            event("s.example", old, version=version, at_ms=START_MS - DAY_MS),
        ]
        expected = [(0, Flaw.EXPIRED_KEY), (1, Flaw.EXPIRED_KEY)] if is_strict else []
        assert await flaws(world, *late, *in_time) == expected

    async def test_one_good_signature_of_a_server_is_enough(self, world: World) -> None:
        good = event("s.example")
        key_ids = {**good.pdu["signatures"]["s.example"], "ed25519:unknown": "AAAA", "rsa:1": "?"}
        assert await flaws(world, Event.from_pdu({**good.pdu, "signatures": {"s.example": key_ids}}, V10)) == []

    async def test_a_flood_of_signatures_is_not_looked_at(self, world: World) -> None:
        good = event("s.example")
        many = {f"ed25519:{n}": "AAAA" for n in range(5000)} | good.pdu["signatures"]["s.example"]
        flooded = Event(good.event_id, {**good.pdu, "signatures": {"s.example": many}}, V10, None)
        assert await flaws(world, flooded) == [(0, Flaw.NO_KEY)]
        assert world.net.asked["s.example"] == 1


class TestAsking:
    """Who is asked for keys, and how often."""

    async def test_many_who_want_a_key_at_once_ask_once(self, world: World) -> None:
        work = [Deferred.fromCoroutine(flaws(world, event("s.example", depth=n))) for n in range(30)]
        assert await gatherResults(work) == [[]] * 30
        assert world.net.asked == {"s.example": 1}

    async def test_what_one_process_fetched_the_others_find(self, world: World, database: Database) -> None:
        assert await flaws(world, event("s.example")) == []
        other = again(world, database=database)
        assert await flaws(other, event("s.example")) == []
        assert world.net.asked == {"s.example": 1}

    async def test_two_processes_that_fetch_the_same_do_no_harm(self, world: World, database: Database) -> None:
        other = again(world, database=database)
        events = [event(f"s{n}.example") for n in range(20)]
        work = [Deferred.fromCoroutine(flaws(each, *events)) for each in (world, other)]
        assert await gatherResults(work) == [[], []]

    async def test_a_server_that_is_down_is_left_alone_for_a_while(self, world: World) -> None:
        world.net.down.add("s.example")
        for _ in range(5):
            assert await flaws(world, event("s.example")) == [(0, Flaw.NO_KEY)]
        assert world.net.asked["s.example"] == 1
        world.net.down.clear()
        world.clock.advance(ASKED_AGAIN_MS / 1000)
        assert await flaws(world, event("s.example")) == []

    async def test_invented_key_ids_are_not_asked_for_over_and_over(self, world: World) -> None:
        for n in range(50):
            assert await flaws(world, event("s.example", key_of("s.example", f"n{n}"))) == [(0, Flaw.NO_KEY)]
        assert world.net.asked == {"s.example": 1}

    async def test_a_key_is_asked_for_again_when_it_has_run_out(self, world: World) -> None:
        assert await flaws(world, event("s.example")) == []
        world.clock.advance(2 * DAY_MS / 1000)
        assert await flaws(world, event("s.example", at_ms=START_MS + 2 * DAY_MS)) == []
        assert world.net.asked["s.example"] == 2

    async def test_an_old_event_needs_no_fresh_key(self, world: World) -> None:
        assert await flaws(world, event("s.example")) == []
        world.clock.advance(30 * DAY_MS / 1000)
        world.net.down.add("s.example")
        assert await flaws(world, event("s.example")) == []
        assert world.net.asked["s.example"] == 1

    async def test_a_key_that_was_given_up_does_not_come_back(self, world: World, database: Database) -> None:
        assert await flaws(world, event("s.example")) == []
        world.net.keys["s.example"] = [key_of("s.example", "k2")]
        world.net.old["s.example"] = {"k1": START_MS + 5}
        world.clock.advance(100)
        assert await flaws(world, event("s.example", key_of("s.example", "k2"))) == []
        for each in (world, again(world, database=database)):
            assert await flaws(each, event("s.example", at_ms=START_MS + 6)) == [(0, Flaw.EXPIRED_KEY)]
            assert await flaws(each, event("s.example", at_ms=START_MS + 5)) == []

    @pytest.mark.parametrize(
        "lie",
        [
            lambda document: {**document, "server_name": "evil.example"},
            lambda document: {**document, "valid_until_ts": 2**52},
            lambda document: [],
            lambda document: None,
            lambda document: {"server_keys": document},
        ],
    )
    async def test_a_server_that_lies_about_its_keys(self, world: World, lie: Any) -> None:
        world.net.lie = lie
        assert await flaws(world, event("s.example"), event("t.example")) == [(0, Flaw.NO_KEY), (1, Flaw.NO_KEY)]

    async def test_nobody_waits_for_long(self, world: World) -> None:
        """Servers that keep us waiting delay what needs their keys, within bounds."""
        held: Deferred[None] = Deferred()
        world.net.pause = lambda: held  # type: ignore[assignment, method-assign, return-value]
        found = Deferred.fromCoroutine(flaws(world, *[event(f"s{n}.example") for n in range(3)]))
        while world.net.asked.total() != 3:
            await Net.pause(world.net)
        world.clock.advance(LONGEST_S)
        assert await found == [(n, Flaw.NO_KEY) for n in range(3)]
        held.callback(None)
        while world.fetcher._under_way:
            await Net.pause(world.net)
        assert await flaws(world, event("s1.example")) == []

    async def test_documents_that_no_key_comes_from_are_forgotten(self, world: World, database: Database) -> None:
        for _ in range(4):
            assert await flaws(world, event("s.example", at_ms=world.clock.now_ms())) == []
            world.clock.advance(2 * DAY_MS / 1000)
        stored = await database.read(lambda txn: txn.all("SELECT document FROM server_key_documents"))
        assert len(stored) == 1

    async def test_an_outage_of_the_database_is_one_and_over_when_it_is_over(self, world: World) -> None:
        store = world.fetcher._store
        add = store.add

        async def fail(keys: Any) -> None:
            raise DatabaseUnavailable("away")

        store.add = fail  # type: ignore[method-assign]
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                await flaws(world, event("s.example"), event("t.example"))
        store.add = add  # type: ignore[method-assign]
        assert await flaws(world, event("s.example"), event("t.example")) == []


class TestNotaries:
    """Servers that are trusted with the keys of others."""

    async def test_many_servers_are_asked_for_with_one_request(self, world: World, database: Database) -> None:
        ours = again(world, "notary.example", database=database)
        servers = [f"s{n}.example" for n in range(45)]
        world.net.known_to_notary = {server: world.net.document(server) for server in servers}
        assert await flaws(ours, *[event(server) for server in servers]) == []
        assert world.net.asked == {"notary.example for others": 1, "notary.example": 1}
        (question,) = world.net.notary_questions
        assert question["s3.example"] == {"ed25519:k1": {"minimum_valid_until_ts": START_MS}}

    async def test_what_the_notary_does_not_know_the_server_is_asked(self, world: World, database: Database) -> None:
        ours = again(world, "notary.example", database=database)
        assert await flaws(ours, event("s.example")) == []
        assert world.net.asked["s.example"] == 1

    async def test_a_second_notary_is_asked_for_the_rest(self, world: World, database: Database) -> None:
        ours = again(world, "down.example", "notary.example", database=database)
        world.net.down |= {"down.example", "s.example"}
        world.net.known_to_notary["s.example"] = world.net.document("s.example")
        assert await flaws(ours, event("s.example")) == []

    async def test_a_caller_is_asked_itself_first(self, world: World, database: Database) -> None:
        ours = again(world, "notary.example", database=database)
        world.net.known_to_notary["s.example"] = world.net.document("s.example")
        value = sign_json({"a": 1}, "s.example", key_of("s.example"))
        await ours.ring.verify_json("s.example", value, valid_at_ms=START_MS)
        assert world.net.asked == {"s.example": 1}

    async def test_keys_of_the_configuration_verify_the_notary(self, world: World, database: Database) -> None:
        right = {"ed25519:k1": key_of("notary.example").verify_key.to_base64()}
        wrong = {"ed25519:k1": key_of("else.example").verify_key.to_base64()}
        world.net.down.add("s.example")
        world.net.known_to_notary["s.example"] = world.net.document("s.example")
        for keys, expected in ((wrong, [(0, Flaw.NO_KEY)]), (right, [])):
            ours = World(database, world.net, [TrustedKeyServer("notary.example", keys)])
            assert await flaws(ours, event("s.example")) == expected
        assert world.net.asked["notary.example"] == 0

    @pytest.mark.parametrize(
        "lie",
        [
            lambda documents: [{**documents[0], "valid_until_ts": 2**52}],
            lambda documents: [{k: v for k, v in documents[0].items() if k != "signatures"}],
            lambda documents: documents[0],
            lambda documents: None,
            lambda documents: ["x", None, 5, {}, {"server_name": ["s.example"]}],
        ],
    )
    async def test_a_notary_that_lies(self, world: World, database: Database, lie: Any) -> None:
        right = {"ed25519:k1": key_of("notary.example").verify_key.to_base64()}
        ours = World(database, world.net, [TrustedKeyServer("notary.example", right)])
        world.net.known_to_notary["s.example"] = world.net.document("s.example")
        world.net.down.add("s.example")
        world.net.lie = lie
        assert await flaws(ours, event("s.example")) == [(0, Flaw.NO_KEY)]

    async def test_keys_that_nobody_asked_for_are_not_taken(self, world: World, database: Database) -> None:
        ours = again(world, "notary.example", database=database)
        other = sign_json(world.net.document("other.example"), "notary.example", key_of("notary.example"))
        world.net.lie = lambda answer: [*answer, other] if isinstance(answer, list) else answer
        assert await flaws(ours, event("s.example")) == []
        assert await ours.ring._store.all_of("other.example") == []


class TestObjects:
    """Signatures of plain objects."""

    async def test_who_signed(self, world: World) -> None:
        value = sign_json({"a": 1}, "s.example", key_of("s.example"))
        await world.ring.verify_json("s.example", value, valid_at_ms=START_MS)
        for server, wrong in (("t.example", value), ("s.example", {**value, "a": 2}), ("s.example", {"a": 1})):
            with pytest.raises(BadServerSignature):
                await world.ring.verify_json(server, wrong, valid_at_ms=START_MS)
        with pytest.raises(BadServerSignature):
            await world.ring.verify_json("s.example", value, valid_at_ms=START_MS + LONGEST_VALIDITY_MS + 1)


class TestAnsweringForOthers:
    """We as the notary."""

    async def test_documents_are_signed_by_both(self, world: World) -> None:
        (document,) = await world.notary.documents({"s.example": {}}, START_MS)
        assert set(document["signatures"]) == {"s.example", US}
        assert document["verify_keys"] == world.net.document("s.example")["verify_keys"]
        assert verify_json(document, US, OUR_KEY.verify_key)
        assert verify_json(document, "s.example", key_of("s.example").verify_key)

    async def test_a_server_that_is_gone_is_answered_for_from_what_is_stored(self, world: World) -> None:
        await world.notary.documents({"s.example": {}}, START_MS)
        world.net.down.add("s.example")
        world.clock.advance(3 * DAY_MS / 1000)
        (document,) = await world.notary.documents({"s.example": {}}, START_MS + 3 * DAY_MS)
        assert document["server_name"] == "s.example"
        assert world.net.asked["s.example"] == 2

    async def test_a_server_that_never_answered_is_left_out(self, world: World) -> None:
        world.net.down.add("s.example")
        assert await world.notary.documents({"s.example": {}, "t.example": {"ed25519:k1": 0}}, START_MS) != []
        assert await world.notary.documents({"s.example": {}}, START_MS) == []
        assert world.net.asked["s.example"] == 1

    async def test_a_key_that_was_replaced_comes_with_its_document(self, world: World) -> None:
        await world.notary.documents({"s.example": {"ed25519:k1": START_MS}}, START_MS)
        world.net.keys["s.example"] = [key_of("s.example", "k2")]
        world.clock.advance(100)
        wanted = {"s.example": {"ed25519:k1": START_MS, "ed25519:k2": START_MS}}
        documents = await world.notary.documents(wanted, START_MS)
        assert [list(document["verify_keys"]) for document in documents] == [["ed25519:k2"], ["ed25519:k1"]]

    async def test_our_own(self, world: World) -> None:
        (document,) = await world.notary.documents({US: {}}, START_MS)
        assert set(document["verify_keys"]) == {"ed25519:ours", "ed25519:next"}
        assert document["old_verify_keys"]["ed25519:before"]["expired_ts"] == START_MS - DAY_MS
        assert set(document["signatures"][US]) == {"ed25519:ours", "ed25519:next"}

"""What a process remembers of presence stays bounded, and follows who is in which room."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from replication.reader import Reader
from replication.streams import Stream
from synapse_like.features.presence.heard import Heard
from synapse_like.features.presence.person import OFFLINE, ONLINE
from synapse_like.features.presence.stream import PRESENCE, PresenceFact


class Facts:
    """Hands facts over as a reader does."""

    def __init__(self) -> None:
        self.ephemeral = 0
        self._subscribers: dict[str, Callable[[Sequence[Any]], None]] = {}

    def subscribe(self, stream: Stream[Any], subscriber: Callable[[Sequence[Any]], None]) -> None:
        self._subscribers[stream.name] = subscriber

    def tell(self, user_id: str, presence: str = ONLINE, rooms: tuple[str, ...] = ()) -> None:
        self.ephemeral += 1
        self._subscribers[PRESENCE.name]([PresenceFact(user_id=user_id, presence=presence, rooms=rooms)])


def hearing(limit: int = 100) -> tuple[Facts, Heard]:
    facts = Facts()
    return facts, Heard(cast(Reader, facts), {"!excluded"}, limit)


def test_the_newest_come_first_each_once() -> None:
    facts, heard = hearing()
    for user_id in ("@a:test", "@b:test", "@c:test", "@a:test"):
        facts.tell(user_id)
    assert [each.fact.user_id for each in heard.after(0)] == ["@a:test", "@c:test", "@b:test"]
    assert [each.fact.user_id for each in heard.after(3)] == ["@a:test"]
    assert not list(heard.after(4))


def test_a_fact_says_anew_where_the_user_is() -> None:
    facts, heard = hearing()
    facts.tell("@a:test", rooms=("!1", "!2", "!excluded"))
    assert (set(heard.members("!1")), set(heard.members("!excluded"))) == ({"@a:test"}, set())
    facts.tell("@a:test", rooms=("!2",))
    assert (set(heard.members("!1")), set(heard.members("!2"))) == (set(), {"@a:test"})


def test_those_who_are_long_offline_are_forgotten_first() -> None:
    facts, heard = hearing(limit=3)
    facts.tell("@first:test", rooms=("!1",))
    facts.tell("@gone:test", OFFLINE, rooms=("!2",))
    facts.tell("@later:test")
    facts.tell("@more:test")
    assert heard.of("@gone:test") is None and not heard.members("!2")
    assert heard.of("@first:test") is not None
    facts.tell("@most:test")
    assert heard.of("@first:test") is None and not heard.members("!1"), "with nobody offline the oldest goes"
    assert len(heard) == 3

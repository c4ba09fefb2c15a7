"""EDUs and answers of any shape: what is not as it should be is refused as a Matrix error, and nothing else happens."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from synapse_like.features.presence import edus as presence
from synapse_like.features.presence.stream import PresenceFact
from synapse_like.features.receipts import edus as receipts
from synapse_like.features.receipts.logic import Heard
from synapse_like.features.receipts.stream import ReceiptFact
from synapse_like.features.remote_devices import documents
from synapse_like.features.remote_devices import edus as remote_devices
from synapse_like.features.to_device import edus as to_device
from synapse_like.features.typing import edus as typing
from synapse_like.federation.edus import EduReceiver
from synapse_like.matrix.errors import MatrixError
from tests.kit.clock import FakeClock
from tests.kit.pdus import safe_json

BOB = "@bob:one"
_KEYS = (
    "room_id user_id typing push presence last_active_ago status_msg currently_active sender type message_id messages "
    "device_id stream_id prev_id deleted keys device_display_name master_key self_signing_key devices device_keys "
    "m.read event_ids data ts thread_id unsigned usage"
).split()
_names = st.sampled_from([*_KEYS, "!room:one", BOB, "@alice:test", "*", "$event", "\0", "@:one", "@x:one\0"])
_values = st.recursive(
    safe_json | _names | st.just(2**80) | st.just("\0") | st.just("@" + "x" * 300 + ":one"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)
contents = st.dictionaries(_names, _values, max_size=6)


class Taken:
    """Every front door that EDUs lead to: notes what comes through."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def hear(self, *given: Any) -> None:
        self.calls.append(given)

    update = sign = receive = hear


def receivers(taken: Any) -> list[EduReceiver]:
    return [
        typing.receiver(taken),
        receipts.receiver(taken),
        presence.receiver(taken, FakeClock()),
        to_device.receiver(taken),
        *remote_devices.receivers(taken),
    ]


async def awaited(receiver: EduReceiver, content: dict[str, Any]) -> None:
    await receiver.receive("one", content)


def texts_in(value: Any) -> Any:
    """All texts in what came through, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.items() for text in texts_in(item))
    elif isinstance(value, list | tuple):
        yield from (text for each in value for text in texts_in(each))


@given(contents)
def test_what_comes_through_speaks_for_users_of_the_origin(content: dict[str, Any]) -> None:
    for receiver in receivers(taken := Taken()):
        failures: list[Any] = []
        Deferred.fromCoroutine(awaited(receiver, content)).addErrback(failures.append)
        assert all(failure.check(MatrixError) for failure in failures), failures
    for call in taken.calls:
        ids = [text for text in texts_in(call[:2]) if text.startswith("@")]
        lists = [each for given in call if isinstance(given, list) for each in given]
        ids += [each.user_id for each in lists if isinstance(each, PresenceFact | Heard)]
        assert all(user_id.endswith(":one") for user_id in ids)


@given(_values)
def test_answers_about_devices_are_read_or_refused(document: Any) -> None:
    try:
        keys = documents.user_keys_in(BOB, document)
    except MatrixError:
        return
    for device_id, text in keys.devices.items():
        assert documents.loaded(text)["device_id"] == device_id and documents.loaded(text)["user_id"] == BOB


@given(contents)
def test_updates_of_devices_are_read_or_refused(content: dict[str, Any]) -> None:
    try:
        update = documents.update_in(BOB, content)
    except MatrixError:
        return
    assert "\0" not in update.device_id and abs(update.stream_id) < 2**53


_receipts = st.builds(
    lambda room, user, event, thread: receipts._content(
        ReceiptFact(
            room_id=room,
            room_nid=1,
            user_id=user,
            type="m.read",
            thread=thread,
            event_id=event,
            depth=1,
            event_number=1,
            at_ms=5,
        )
    ),
    st.sampled_from(["!a", "!b"]),
    st.sampled_from(["@x:one", "@y:one"]),
    st.sampled_from(["$1", "$2"]),
    st.sampled_from(["", "main", "$root"]),
)


@given(st.lists(_receipts, max_size=12))
def test_receipts_that_go_out_together_are_all_in_the_edus(contents: list[dict[str, Any]]) -> None:
    def flat(edus: Any) -> list[Any]:
        return sorted(
            (room, user, each["event_ids"][0], each["data"].get("thread_id", ""))
            for edu in edus
            for room, kinds in edu.items()
            for user, each in kinds["m.read"].items()
        )

    assert flat(receipts.combined(contents)) == flat(contents)


@given(st.lists(st.integers(), max_size=200))
def test_presence_that_goes_out_together_is_all_in_the_edus(numbers: list[int]) -> None:
    pushed = [{"user_id": str(number)} for number in numbers]
    edus = presence.combined(pushed)
    assert [each for edu in edus for each in edu["push"]] == pushed
    assert all(0 < len(edu["push"]) <= presence.PUSHED_AT_ONCE for edu in edus)

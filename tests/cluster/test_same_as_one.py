"""Real clients, and death in the middle of a stream of sends: the tests of one process, unchanged, with several."""

from tests.clients.nio.test_nio import test_two_people_chat as test_two_people_with_nio
from tests.clients.test_js_sdk import test_two_people_chat as test_two_people_with_js_sdk
from tests.kit.cluster import server
from tests.walks.test_restart import (
    test_a_stop_ends_a_stream_of_sends_and_a_long_poll_cleanly,
    test_acknowledged_events_survive_kill9_once_and_in_order,
)

__all__ = [
    "server",
    "test_a_stop_ends_a_stream_of_sends_and_a_long_poll_cleanly",
    "test_acknowledged_events_survive_kill9_once_and_in_order",
    "test_two_people_with_js_sdk",
    "test_two_people_with_nio",
]

"""The rules for one user, and the agenda that says when to look at them again."""

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from synapse_like.features.presence.agenda import Agenda
from synapse_like.features.presence.person import OFFLINE, ONLINE, UNAVAILABLE, Person, Times, View, content

TIMES = Times(active_ms=60_000, online_ms=30_000, idle_ms=300_000)


def seen(person: Person, now_ms: int) -> tuple[str, bool]:
    view = person.view(TIMES, now_ms)
    return view.presence, view.is_active


def test_a_poll_in_progress_keeps_a_user_there_but_not_active() -> None:
    person = Person()
    assert seen(person, 0) == (OFFLINE, False)
    person.poll_began("D", ONLINE, 0)
    assert seen(person, 59_999) == (ONLINE, True)
    assert seen(person, 60_000) == (ONLINE, False)
    assert seen(person, 299_999) == (ONLINE, False)
    assert seen(person, 300_000) == (UNAVAILABLE, False)
    assert seen(person, 10_000_000) == (UNAVAILABLE, False)


def test_a_user_goes_offline_a_while_after_the_last_poll() -> None:
    person = Person()
    person.poll_began("D", ONLINE, 0)
    person.poll_began("D", ONLINE, 10)
    person.poll_ended("D", 1_000)
    assert seen(person, 50_000)[0] == ONLINE, "the other poll is still in progress"
    person.poll_ended("D", 60_000)
    assert seen(person, 89_999)[0] == ONLINE
    assert seen(person, 90_000)[0] == OFFLINE
    person.poll_ended("D", 95_000)
    assert seen(person, 95_000)[0] == OFFLINE, "an end without a beginning counts for nothing"


def test_polling_on_is_no_activity_but_coming_back_is() -> None:
    person = Person()
    person.poll_began("D", ONLINE, 0)
    person.poll_ended("D", 299_000)
    person.poll_began("D", ONLINE, 300_000)
    assert seen(person, 300_000)[0] == UNAVAILABLE
    person.poll_began("PHONE", ONLINE, 310_000)
    assert seen(person, 310_000) == (ONLINE, True)


def test_the_most_present_client_decides() -> None:
    person = Person()
    person.poll_began("D", UNAVAILABLE, 0)
    assert seen(person, 0)[0] == UNAVAILABLE
    person.poll_began("PHONE", ONLINE, 0)
    assert seen(person, 0)[0] == ONLINE
    person.poll_ended("PHONE", 0)
    assert seen(person, 30_000)[0] == UNAVAILABLE


def test_what_a_user_chooses_holds_for_all_clients_until_they_say_otherwise() -> None:
    person = Person()
    person.poll_began("D", ONLINE, 0)
    person.choose("PHONE", UNAVAILABLE, "at lunch", 1_000)
    assert person.view(TIMES, 1_000) == View(UNAVAILABLE, "at lunch", False, 1_000)
    person.choose("PHONE", OFFLINE, None, 2_000)
    assert person.view(TIMES, 2_000) == View(OFFLINE, None, False, 2_000)
    person.poll_began("D", ONLINE, 3_000)
    assert seen(person, 3_000) == (ONLINE, True)


def test_choosing_without_polling_counts_as_one_poll() -> None:
    person = Person()
    person.choose("D", ONLINE, "hello", 0)
    assert seen(person, 29_999) == (ONLINE, True)
    assert seen(person, 30_000) == (OFFLINE, False)
    person.forget_devices(TIMES, 30_000)
    assert not person.devices


def test_what_is_worth_telling() -> None:
    told = View(UNAVAILABLE, None, False, 0)
    assert not View(UNAVAILABLE, None, False, 59_999).is_news_after(told, TIMES)
    assert View(UNAVAILABLE, None, False, 60_000).is_news_after(told, TIMES)
    assert View(UNAVAILABLE, "lunch", False, 0).is_news_after(told, TIMES)
    assert View(ONLINE, None, True, 0).is_news_after(told, TIMES)
    assert not View(ONLINE, None, True, 900_000).is_news_after(View(ONLINE, None, True, 0), TIMES)
    assert not View().is_news_after(View(), TIMES)


def test_clients_are_shown_what_is_known() -> None:
    assert content(OFFLINE, None, False, None) == {"presence": "offline"}
    shown = {"presence": "online", "last_active_ago": 0, "status_msg": "", "currently_active": True}
    assert content(ONLINE, "", True, -5) == shown


ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 400_000),
        st.sampled_from(["began", "ended", "choose", "active"]),
        st.sampled_from(["D", "PHONE"]),
        st.sampled_from([ONLINE, UNAVAILABLE, OFFLINE]),
    ),
    max_size=12,
)


@given(actions=ACTIONS, ahead=st.lists(st.integers(0, 700_000), min_size=1, max_size=10))
def test_a_view_changes_no_sooner_by_itself_than_it_says(
    actions: list[tuple[int, str, str, str]], ahead: list[int]
) -> None:
    person, now_ms = Person(), 0
    for wait_ms, action, device, wish in actions:
        now_ms += wait_ms
        if action == "began":
            person.poll_began(device, UNAVAILABLE if wish == OFFLINE else wish, now_ms)
        elif action == "ended":
            person.poll_ended(device, now_ms)
        elif action == "choose":
            person.choose(device, wish, None, now_ms)
        else:
            person.active_at_ms = now_ms
    person.forget_devices(TIMES, now_ms)
    view, changes_at_ms = person.view(TIMES, now_ms), person.changes_at_ms(TIMES, now_ms)
    for later_ms in (now_ms + each for each in ahead):
        if changes_at_ms is None or later_ms < changes_at_ms:
            assert person.view(TIMES, later_ms) == view


@given(plans=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5_000))), now_ms=st.integers(0, 6_000))
def test_the_agenda_gives_each_key_once_and_never_early(plans: list[tuple[str, int]], now_ms: int) -> None:
    agenda = Agenda(500)
    earliest: dict[str, int] = {}
    for key, at_ms in plans:
        agenda.plan(key, at_ms)
        earliest[key] = min(at_ms, earliest.get(key, at_ms))
    taken = agenda.take(now_ms)
    assert len(set(taken)) == len(taken)
    assert all(earliest[key] <= now_ms for key in taken)
    assert {key for key, at_ms in earliest.items() if at_ms + 500 <= now_ms} <= set(taken)
    assert len(agenda) == len(earliest) - len(taken)
    assert set(agenda.take(10_000)) == earliest.keys() - set(taken)


_DEVICES = st.sampled_from(["D", "PHONE"])
_WISHES = st.sampled_from([ONLINE, UNAVAILABLE])
_MOMENTS = st.integers(0, 100_000)


@given(st.lists(st.tuples(_MOMENTS, _DEVICES, st.none() | _WISHES)), _DEVICES, _WISHES, _MOMENTS)
def test_a_client_that_polls_on_changes_nothing_that_others_see(
    past: list[tuple[int, str, str | None]], device_id: str, wish: str, now_ms: int
) -> None:
    person = Person()
    for at_ms, device, began in sorted(past, key=lambda step: step[0]):
        if began is None:
            person.poll_ended(device, at_ms)
        else:
            person.poll_began(device, began, at_ms)
    now_ms += max((at_ms for at_ms, *_ in past), default=0)
    usual = deepcopy(person)
    usual.poll_began(device_id, wish, now_ms)
    before = person.view(TIMES, now_ms)
    if person.polls_on(device_id, wish, TIMES, now_ms):
        assert person == usual
        assert person.view(TIMES, now_ms) == before
    else:
        assert person.view(TIMES, now_ms) == before
        assert person != usual

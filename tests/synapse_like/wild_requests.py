"""Requests that nobody should send: hypothesis strategies over the declared endpoints.

Where a request is sent and what must be true of the answer is in ``test_bad_input``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from hypothesis import strategies as st

from synapse_like.toolkit.http.endpoint import Endpoint

NAMES = """
    access_token after actions archived at auth avatar_url before body chunk content creation_content dir
    displayname device_id devices enabled event event_fields event_format event_id filter flows format from
    from_token full_state guest_access identifier include_leave initial_state invite invite_3pid is_direct
    join_authorised_via_users_server kind lazy_load_members limit m.fully_read m.heroes m.mentions m.read
    m.relates_to membership msgtype name new_password next_batch not_membership not_rooms not_senders
    not_types only order password pattern power_level_content_override predecessor presence preset reason
    redacts rel_type replacement_room room room_alias room_id room_version rooms score senders server session
    set_presence since state state_after status_msg thread_id third_party_invite third_party_signed timeline
    timeout to topic ts type types unread_thread_notifications use_state_after user user_id username users
    valid via visibility $ __proto__
""".split()

QUERY_NAMES = """
    access_token after archived at batch_token before dir filter format from full_state kind limit membership
    not_membership only room_id server server_name session set_presence since timeout to token ts use_state_after
    user_id username via
""".split()

WORDS = """
    0 1 -1 true false null b f all main m.room.member m.room.message m.room.create m.room.power_levels
    m.room.name m.room.join_rules m.room.canonical_alias m.room.tombstone m.room.history_visibility
    m.room.encryption m.tag m.direct m.fully_read m.push_rules m.ignored_user_list m.read m.read.private join
    leave invite ban knock public private trusted_private_chat public_chat online offline unavailable client
    federation m.login.password m.login.dummy m.id.user m.id.thirdparty m.login.registration_token m.thread
    override underride content room sender notify .m.rule.master displayname avatar_url m.tz wordpass-1 12 11
    9 1.5 1e999 99999999999999999999 nan :: @ ! # $ @: !: #: @a @a: @a:b:c !x:test #x:test $x @nobody:test
    @ALICE:test @bob:elsewhere.example !x:elsewhere.example test .. . // %2F %00 %FF %ff%fe %ED%A0%80 s1_2_3
    1_2_3 t1-1_0 {} [] {"room":1} {"room":{"timeline":{"limit":-1}}} {"event_fields":["a\\\\b","..",""]}
    {"lazy_load_members":true} https://x.example/ mxc://a/b javascript:alert(1)
""".split()

TEXTS = ("", " ", "\n", "é", "\u202e", "\U0001f600", "\x7f", "x" * 256, "y" * 3000, "a\x00b", "\ud800", "'; --", "%s")

NUMBERS = (0, 1, -1, 2**31, 2**53 - 1, 2**53, -(2**53), 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**40, 0.5, -0.0, 1e308)

RAW = (
    b"", b"{", b"null", b"[]", b'""', b"0", b"{}", b"\x00", b"\xff\xfe{", b'{"a":NaN}', b'{"a":Infinity}',
    b'{"a":1e999}', b'{"a":"\\ud800"}', b'{"\\ud800":1}', b'{"a":"\\u0000"}', b'{"\\u0000":1}', b'{"a":1,"a":2}',
    b'{"a":"\xed\xa0\x80"}', b"[" * 5000, b'{"a":' * 101 + b"1" + b"}" * 101, b'{"a":' * 99 + b"1" + b"}" * 99,
    b"9" * 5000, b"{}{}", b'{"a":' + b"1" * 5000 + b"}", b'{"a":"' + b"x" * 70_000 + b'"}', b'\xef\xbb\xbf{}',
    b'{"msgtype":"m.text","body":"x"}',
)  # fmt: skip


@dataclass(frozen=True)
class Wild:
    """A request as it goes out, and whose token it carries (an index; None for none)."""

    method: str
    target: str
    body: bytes
    person: int | None


def wild_requests(endpoint: Endpoint, known: Mapping[str, Sequence[str]]) -> st.SearchStrategy[Wild]:
    """Requests to one endpoint; ``known`` has real values of path parameters, by name."""
    real = [value for values in known.values() for value in values]
    words = st.sampled_from([*real, *WORDS])
    return st.builds(
        Wild,
        st.just(endpoint.method),
        _targets(endpoint, known, words),
        _bodies(endpoint, words),
        st.sampled_from((0, 0, 0, 0, 1, 2, None)),
    )


def _targets(
    endpoint: Endpoint, known: Mapping[str, Sequence[str]], words: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    wild = st.one_of(words, words, st.sampled_from(TEXTS), st.text(max_size=8))

    def filled(template: str) -> st.SearchStrategy[str]:
        parts = template.split("/")
        return st.tuples(*(_segment(part, known, wild) for part in parts)).map("/".join)

    return st.builds(_with_query, st.sampled_from(endpoint.paths).flatmap(filled), _queries(wild))


def _segment(part: str, known: Mapping[str, Sequence[str]], wild: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    if not part.startswith("{"):
        return st.just(part)
    real = st.sampled_from(known.get(part.strip("{}*"), ["x"]))
    raw = st.sampled_from(("%00", "%FF", "%ED%A0%80", "%", "%2F", "%2E%2E", ""))
    return st.one_of(real.map(_quoted), real.map(_quoted), real.map(_quoted), wild.map(_quoted), raw)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _queries(wild: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(st.sampled_from(QUERY_NAMES), wild), max_size=6)


def _with_query(path: str, query: list[tuple[str, str]]) -> str:
    fields = [(name, value.encode("utf-8", "surrogatepass")) for name, value in query]
    # A long poll ends at once: waiting is not what is tested here.
    return f"{path}?{urlencode([*fields, ('timeout', '0')])}"


def _bodies(endpoint: Endpoint, words: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    raw = st.one_of(st.sampled_from(RAW), st.binary(max_size=20))
    if endpoint.body is None:
        return raw
    values = _values(words)
    names = st.sampled_from(_fields(endpoint) or NAMES)
    objects = st.dictionaries(st.one_of(names, names, names, st.sampled_from(NAMES)), values, max_size=6)
    return st.one_of(*[objects.map(_encoded)] * 6, values.map(_encoded), raw)


def _values(words: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    leaves = st.one_of(
        words, words, st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.integers(-5, 5)
    )
    keys = st.one_of(st.sampled_from(NAMES), words)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
    )


def _fields(endpoint: Endpoint) -> list[str]:
    body = endpoint.body
    if isinstance(body, type) and issubclass(body, msgspec.Struct):
        return [field.encode_name for field in msgspec.structs.fields(body)]
    return []


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")

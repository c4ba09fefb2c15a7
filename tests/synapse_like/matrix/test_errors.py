"""The tree of errors is whole: drawn, named and answerable."""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest

from synapse_like.matrix import errors
from synapse_like.matrix.errors import LimitExceeded, MatrixError, UnknownToken, UserLocked

TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MatrixError)]


def test_every_error_is_drawn_in_the_tree():
    drawn = set(re.findall(r"\b[A-Z][A-Za-z]+\b", (errors.__doc__ or "").split("```")[1]))
    assert {kind.__name__ for kind in TREE} == drawn


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_a_code_and_a_sentence(kind):
    assert 400 <= kind.status <= 599
    assert re.fullmatch(r"M_[A-Z_]+", kind.errcode)
    assert kind.default_message
    assert kind.__doc__


def test_no_code_has_two_meanings():
    """A code has one status, but for those that the specification uses with several."""
    statuses = defaultdict(set)
    for kind in TREE:
        statuses[kind.errcode].add(kind.status)
    assert {code for code, found in statuses.items() if len(found) > 1} == {"M_UNKNOWN", "M_UNRECOGNIZED"}


def test_the_body_has_the_extra_keys():
    body = errors.IncompatibleRoomVersion(room_version="12").body()
    assert body["errcode"] == "M_INCOMPATIBLE_ROOM_VERSION"
    assert body["room_version"] == "12"
    assert json.loads(json.dumps(body)) == body


def test_a_given_message_replaces_the_default():
    assert errors.Forbidden("no").body() == {"errcode": "M_FORBIDDEN", "error": "no"}


def test_soft_logout_is_always_told():
    assert UnknownToken().body()["soft_logout"] is False
    assert UnknownToken(soft_logout=True).body()["soft_logout"] is True
    assert UserLocked().body()["soft_logout"] is True


def test_a_limit_says_when_to_come_back():
    assert LimitExceeded(retry_after_ms=1500).body()["retry_after_ms"] == 1500
    assert "retry_after_ms" not in LimitExceeded().body()

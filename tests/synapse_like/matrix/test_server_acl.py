"""Server ACLs: patterns, ports, IP literals, and contents that are not as they should be."""

import pytest

from synapse_like.matrix.server_acl import ServerAcl, lets_in


@pytest.mark.parametrize(
    ("content", "server", "expected"),
    [
        ({"allow": ["*"]}, "any.where", True),
        ({"allow": ["*"], "deny": ["*.evil.com", "evil.com"]}, "evil.com", False),
        ({"allow": ["*"], "deny": ["*.evil.com"]}, "very.evil.com:8448", False),
        ({"allow": ["*"], "deny": ["*.evil.com"]}, "evil.com", True),
        ({"allow": ["*"], "deny": ["EVIL.com"]}, "evil.COM", False),
        ({"allow": ["goo?.org"]}, "good.org", True),
        ({"allow": ["goo?.org"]}, "better.org", False),
        ({"deny": ["evil.com"]}, "good.org", False),
        ({}, "good.org", False),
        ({"allow": "*"}, "good.org", False),
        ({"allow": [1, None, "*"]}, "good.org", True),
        ({"allow": ["*"], "allow_ip_literals": False}, "1.2.3.4", False),
        ({"allow": ["*"], "allow_ip_literals": False}, "1.2.3.4:8448", False),
        ({"allow": ["*"], "allow_ip_literals": False}, "[::1]:8448", False),
        ({"allow": ["*"], "allow_ip_literals": False}, "1.2.3.4.example.org", True),
        ({"allow": ["*"], "allow_ip_literals": "no"}, "1.2.3.4", True),
        ({"allow": ["*"], "deny": ["[::1]"]}, "[::1]:8448", False),
        ({"allow": ["*"], "deny": 7}, "good.org", True),
    ],
)
def test_who_may_take_part(content, server, expected) -> None:
    assert ServerAcl(content).allows(server) is expected


def test_a_room_without_acl_lets_everybody_in() -> None:
    assert lets_in(None, "any.where")

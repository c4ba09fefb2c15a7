"""The `/pushrules` API, and `m.push_rules` in /sync."""

from typing import Any

from tests.kit.caught_up import caught_up
from tests.kit.homeserver import TestServer

WORD = {"actions": ["notify"], "pattern": "cake"}
CONTENT = "/pushrules/global/content/"


def rules_in(sync: Any) -> Any:
    found = [event["content"] for event in sync.get("account_data", {}).get("events", []) if is_rules(event)]
    assert len(found) <= 1
    return found[0] if found else None


def is_rules(event: Any) -> bool:
    return bool(event["type"] == "m.push_rules")


async def test_rules_are_added_read_and_deleted(server: TestServer) -> None:
    ann = await server.register("ann")
    everything = await server.ok("GET", "/pushrules/", token=ann)
    assert set(everything["global"]) == {"override", "content", "room", "sender", "underride"}
    assert await server.ok("GET", "/pushrules", token=ann) == everything
    assert await server.ok("GET", "/pushrules/global/", token=ann) == everything["global"]
    assert await server.ok("PUT", CONTENT + "cake", WORD, token=ann) == {}
    rule = await server.ok("GET", CONTENT + "cake", token=ann)
    assert rule == {"rule_id": "cake", "default": False, "enabled": True, "actions": ["notify"], "pattern": "cake"}
    assert rule in await server.ok("GET", "/pushrules/global/content/", token=ann)
    assert (await server.ok("GET", "/pushrules/", token=ann))["global"]["content"][0] == rule
    assert await server.ok("DELETE", CONTENT + "cake", token=ann) == {}
    assert await server.ok("GET", "/pushrules/", token=ann) == everything


async def test_rules_stand_where_they_are_put(server: TestServer) -> None:
    ann = await server.register("ann")
    for name, query in (("a", {}), ("b", {}), ("c", {"after": "a"}), ("d", {"before": "b"})):
        await server.ok("PUT", CONTENT + name, WORD, token=ann, query=query)
    rules = await server.ok("GET", "/pushrules/global/content", token=ann)
    assert [rule["rule_id"] for rule in rules if not rule["default"]] == ["d", "b", "a", "c"]
    lost = await server.request("PUT", CONTENT + "e", WORD, token=ann, query={"before": "nobody"})
    assert (lost.status, lost.body["errcode"]) == (400, "M_UNKNOWN")


async def test_rules_are_switched_and_given_actions(server: TestServer) -> None:
    ann = await server.register("ann")
    path = "/pushrules/global/underride/.m.rule.message"
    assert await server.ok("GET", path + "/enabled", token=ann) == {"enabled": True}
    assert await server.ok("PUT", path + "/enabled", {"enabled": False}, token=ann) == {}
    assert await server.ok("GET", path + "/enabled", token=ann) == {"enabled": False}
    actions = ["notify", {"set_tweak": "sound", "value": "ping"}]
    assert await server.ok("PUT", path + "/actions", {"actions": actions}, token=ann) == {}
    assert await server.ok("GET", path + "/actions", token=ann) == {"actions": actions}
    assert (await server.ok("GET", path, token=ann))["enabled"] is False


async def test_what_is_refused(server: TestServer) -> None:
    ann = await server.register("ann")
    for method, path, body, status, errcode in (
        ("GET", CONTENT + "none", None, 404, "M_NOT_FOUND"),
        ("DELETE", CONTENT + "none", None, 404, "M_NOT_FOUND"),
        ("GET", CONTENT + "none/enabled", None, 404, "M_NOT_FOUND"),
        ("PUT", CONTENT + "none/enabled", {"enabled": True}, 404, "M_NOT_FOUND"),
        ("PUT", CONTENT + "none/actions", {"actions": []}, 404, "M_NOT_FOUND"),
        ("PUT", CONTENT + "cake", {"pattern": "cake"}, 400, "M_MISSING_PARAM"),
        ("PUT", CONTENT + "cake", {"actions": []}, 400, "M_MISSING_PARAM"),
        ("PUT", CONTENT + ".cake", WORD, 400, "M_INVALID_PARAM"),
        ("PUT", CONTENT + "cake", {"actions": ["dance"], "pattern": "x"}, 400, "M_INVALID_PARAM"),
        ("PUT", CONTENT + "cake/enabled", {"enabled": "yes"}, 400, "M_BAD_JSON"),
        ("PUT", "/pushrules/global/nonsense/cake", WORD, 400, "M_INVALID_PARAM"),
        ("DELETE", "/pushrules/global/override/.m.rule.master", None, 400, "M_INVALID_PARAM"),
        ("GET", "/pushrules/device/", None, 404, "M_UNRECOGNIZED"),
    ):
        answer = await server.request(method, path, body, token=ann)
        assert (answer.status, answer.body["errcode"]) == (status, errcode), (method, path)
    assert (await server.request("GET", "/pushrules/")).status == 401


async def test_rules_are_told_at_first_and_when_they_change(server: TestServer) -> None:
    ann, ben = await server.register("ann"), await server.register("ben")
    first = await server.sync(ann)
    assert rules_in(first) == await server.ok("GET", "/pushrules/", token=ann)
    since = (await server.sync(ann, first["next_batch"]))["next_batch"]
    await server.ok("PUT", CONTENT + "cake", WORD, token=ben)
    quiet = await server.sync(ann, since)
    assert rules_in(quiet) is None
    await server.ok("PUT", CONTENT + "cake", WORD, token=ann)
    await caught_up(server)
    told = await server.sync(ann, quiet["next_batch"])
    assert rules_in(told) == await server.ok("GET", "/pushrules/", token=ann)
    assert rules_in(await server.sync(ann)) == rules_in(told)
    await server.ok("PUT", CONTENT + "cake", WORD, token=ann)
    await caught_up(server)
    assert rules_in(await server.sync(ann, told["next_batch"])) is None


async def test_account_data_answers_for_the_rules(server: TestServer) -> None:
    ann = await server.register("ann")
    rules = await server.ok("GET", "/user/@ann:test/account_data/m.push_rules", token=ann)
    assert rules == await server.ok("GET", "/pushrules/", token=ann)


async def test_rules_outlive_the_memory_of_the_process(server: TestServer) -> None:
    ann = await server.register("ann")
    await server.ok("PUT", CONTENT + "cake", WORD, token=ann)
    rows = await server.homeserver.kit.database.read(lambda txn: txn.all("SELECT user_id, rules FROM push_rules"))
    assert [row[0] for row in rows] == ["@ann:test"]
    assert ".m.rule" not in rows[0][1]

"""Every source keeps every rule, and every rule finds what it forbids."""

import pytest

from tests.house import rules
from tests.house.rules import RULES
from tests.house.sources import Source, python_sources


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_sources_keep(rule):
    wrong = [f"{source.path}:{found}" for source in python_sources() for found in rule(source)]
    assert not wrong, "\n" + "\n".join(wrong)


CAUGHT = [
    (rules.no_sql_outside_its_places, "workers/a.py", 'x = "SELECT a FROM b WHERE c = 1"'),
    (rules.no_sql_outside_its_places, "workers/a.py", 'x = f"delete from {t} where c = 1" + "DELETE FROM b"'),
    (rules.no_sql_outside_its_places, "synapse_like/rooms/logic.py", 'x = """\nINSERT INTO a VALUES :rows"""'),
    (rules.no_sql_outside_its_places, "replication/a.py", 'x = "update a set b = 1"'),
    (rules.no_ambient_time_or_chance, "workers/a.py", "import random"),
    (rules.no_ambient_time_or_chance, "replication/a.py", "from time import monotonic"),
    (rules.no_ambient_time_or_chance, "synapse_like/rooms/a.py", "import time\nx = time.time()"),
    (rules.no_ambient_time_or_chance, "synapse_like/sync/a.py", "import datetime\nx = datetime.datetime.now()"),
    (rules.no_forbidden_names, "synapse_like/rooms/a.py", "class RoomHandler: ..."),
    (rules.no_forbidden_names, "synapse_like/rooms/string_utils.py", ""),
    (rules.no_hidden_imports, "tests/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING: ..."),
    (rules.no_hidden_imports, "workers/a.py", "def a():\n    import b"),
    (rules.no_twisted_web_above_http, "synapse_like/features/a.py", "from twisted.web.client import Agent"),
    (rules.no_global_reactor, "synapse_like/rooms/a.py", "from twisted.internet import defer, reactor"),
    (rules.the_protocol_is_pure, "synapse_like/matrix/a.py", "import logging"),
    (rules.the_protocol_is_pure, "synapse_like/matrix/a.py", "from synapse_like.toolkit import clock"),
    (rules.the_protocol_is_pure, "synapse_like/matrix/a.py", "from ..toolkit import clock"),
    (rules.the_protocol_is_pure, "synapse_like/matrix/a.py", "async def a(): ..."),
    (rules.the_protocol_is_pure, "synapse_like/matrix/a.py", "x = open('a')"),
    (rules.every_module_says_what_it_is, "tests/a.py", "x = 1"),
    (rules.nothing_is_left_open, "tests/a.py", "x = 1  # TO" + "DO: more"),
    (rules.nothing_is_left_open, "workers/a.py", "def a():\n    raise NotImplementedError"),
    (rules.features_use_front_doors, "synapse_like/features/a/api.py", "from synapse_like.features.b.logic import c"),
]


@pytest.mark.parametrize(("rule", "path", "text"), CAUGHT)
def test_the_rule_finds(rule, path, text):
    assert list(rule(Source(path, text)))


ALLOWED = [
    (rules.no_sql_outside_its_places, "workers/sql.py", 'x = "SELECT a FROM b "'),
    (rules.no_sql_outside_its_places, "workers/a.py", 'def f():\n    """Not SELECT a FROM b ."""'),
    (rules.no_sql_outside_its_places, "workers/a.py", 'x = "Select one of these from the list, or delete from there"'),
    (rules.no_ambient_time_or_chance, "synapse_like/toolkit/clock.py", "import time\nx = time.time()"),
    (rules.no_ambient_time_or_chance, "workers/a.py", "x = clock.now_ms() + event.time"),
    (rules.no_forbidden_names, "synapse_like/toolkit/a.py", "class DatabaseUnavailable(Exception): ..."),
    (rules.the_protocol_is_pure, "synapse_like/matrix/a.py", "import re\nfrom synapse_like.matrix import ids"),
    (rules.features_use_front_doors, "synapse_like/features/a/api.py", "from synapse_like.features.a.logic import c"),
    (rules.features_use_front_doors, "synapse_like/features/a/api.py", "from synapse_like.features.b import C"),
]


@pytest.mark.parametrize(("rule", "path", "text"), ALLOWED)
def test_the_rule_allows(rule, path, text):
    assert not list(rule(Source(path, text)))

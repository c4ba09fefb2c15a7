"""Which engine a configuration names. psycopg2 is an extra, so its module is loaded only when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from synapse_like.toolkit.db.errors import DatabaseUnavailable
from synapse_like.toolkit.db.sqlite import SqliteEngine
from synapse_like.toolkit.db.transaction import Engine


def open_engine(name: str, arguments: Mapping[str, Any], *, prepares: bool = True) -> Engine:
    """The engine called `name` ("sqlite3" or "psycopg2", as in `database.name`), with its `args`.

    `prepares`: whether sessions of PostgreSQL keep the plans of statements.

    Raises DatabaseUnavailable when the driver is missing or the file is taken.
    """
    if name == "sqlite3":
        return SqliteEngine(str(arguments["database"]))
    try:
        module = import_module("synapse_like.toolkit.db.postgres")
    except ImportError as error:
        raise DatabaseUnavailable(
            "PostgreSQL needs the module psycopg2: install the extra, pip install 'synapse-like[postgres]'"
        ) from error
    return cast(Engine, module.PostgresEngine(arguments, prepares=prepares))

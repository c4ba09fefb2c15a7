"""Copies of a room, written straight into the database of a server that is stopped.

A copy has numbers below zero, which the server never gives out, and is in the same shard with the same log numbers as
the room that was copied. In room version 12 the id of a room is that of its first event: only older rooms can be
copied. What is not the spine's (receipts, aliases, ...) is not copied.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

_TABLES = ("rooms", "events", "room_heads", "state_trunk", "current_state", "members", "event_transactions")
_EVENTS_PER_ROOM = 100

Row = dict[str, Any]


def copy_room(database: Mapping[str, Any], room_id: str, times: int) -> list[str]:
    """Store so many copies of the room; `database` is the key of homeserver.yaml. The ids of the new rooms."""
    copies = [f"!copy{number}:{room_id.partition(':')[2]}" for number in range(times)]
    with _cursor(database) as cursor:
        cursor.execute(f"SELECT room_nid FROM rooms WHERE room_id = '{room_id}'")
        (room_nid,) = cursor.fetchone()
        tables = {table: _rows(cursor, table, room_nid) for table in _TABLES}
        assert len(tables["events"]) <= _EVENTS_PER_ROOM
        for table, rows in tables.items():
            made = [_copy(row, tables["events"], room_id, copy, n) for n, copy in enumerate(copies, 1) for row in rows]
            _insert(cursor, table, made)
    return copies


def _copy(row: Row, events: list[Row], room_id: str, copy: str, number: int) -> list[Any]:
    """The values of a row for a copy of the room."""
    nids = {event["event_nid"]: -(number * _EVENTS_PER_ROOM + place) for place, event in enumerate(events)}
    values = row | {"room_nid": -number}
    for column in ("event_id", "room_id", "json"):
        if column in row:
            values[column] = row[column].replace(room_id, copy)
    if "event_nid" in row:
        values["event_nid"] = nids[row["event_nid"]]
    if "event_id" in row:
        values["event_id"] = f"{row['event_id']}{number}"
    if "extremities" in row:
        tips = json.loads(row["extremities"])
        values["extremities"] = json.dumps([[f"{tip[0]}{number}", nids[tip[1]], *tip[2:]] for tip in tips])
    return list(values.values())


def _rows(cursor: Any, table: str, room_nid: int) -> list[Row]:
    cursor.execute(f"SELECT * FROM {table} WHERE room_nid = {room_nid}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _insert(cursor: Any, table: str, rows: list[list[Any]]) -> None:
    if isinstance(cursor, sqlite3.Cursor):
        cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    else:
        execute_values(cursor, f"INSERT INTO {table} VALUES %s", rows, page_size=1000)


@contextmanager
def _cursor(database: Mapping[str, Any]) -> Iterator[Any]:
    """A cursor whose work is committed at the end."""
    arguments = {key: value for key, value in database["args"].items() if not key.startswith("cp_")}
    connect = sqlite3.connect if database["name"] == "sqlite3" else psycopg2.connect
    with closing(connect(**arguments)) as connection:
        yield connection.cursor()
        connection.commit()

"""A small blocking client of the Client-Server API, for tests that speak to a server process.

It adds nothing to what it is told: no retries, no waiting. A connection that breaks raises OSError or HTTPException.
"""

import http.client
import json
from collections.abc import Mapping
from email.message import Message
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

V3 = "/_matrix/client/v3"
PASSWORD = "a long enough password"


class Client:
    """One user's session at one server, or a visitor without one (``token`` is None)."""

    def __init__(self, url: str, token: str | None = None, user_id: str = "", device_id: str = "") -> None:
        self.url = url
        self.token = token
        self.user_id = user_id
        self.device_id = device_id

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        query: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
    ) -> tuple[int, Any]:
        """Return the status and the body: decoded JSON, or bytes if it is none. ``token`` replaces the session's."""
        status, _, reply = self.exchange(method, path, body, token, query, timeout_seconds)
        return status, reply

    def exchange(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        query: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
    ) -> tuple[int, Message, Any]:
        """As ``request``, with the headers of the reply in the middle."""
        headers = {"Content-Type": "application/json"}
        if token or self.token:
            headers["Authorization"] = f"Bearer {token or self.token}"
        text = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout_seconds)
        try:
            connection.request(method, path + _query(query), text, headers)
            response = connection.getresponse()
            return response.status, response.headers, _decoded(response.read())
        finally:
            connection.close()

    def at(self, url: str) -> "Client":
        """The same session, at another address."""
        return Client(url, self.token, self.user_id, self.device_id)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Return the body of a reply that must be 200."""
        status, reply = self.request(method, path, body, **options)
        assert status == 200, f"{method} {path}: {status} {reply}"
        return reply

    def register(self, name: str, password: str = PASSWORD) -> "Client":
        """Make an account with a session, through the stage m.login.dummy."""
        account = {"username": name, "password": password}
        status, reply = self.request("POST", f"{V3}/register", account)
        if status == 401:
            auth = {"type": "m.login.dummy", "session": reply["session"]}
            reply = self.call("POST", f"{V3}/register", {**account, "auth": auth})
        return self._session(reply)

    def login(self, name: str, password: str = PASSWORD) -> "Client":
        """Log in by password."""
        identifier = {"type": "m.id.user", "user": name}
        wanted = {"type": "m.login.password", "identifier": identifier, "password": password}
        return self._session(self.call("POST", f"{V3}/login", wanted))

    def create_room(self, **options: Any) -> str:
        """Create a room and return its id."""
        return str(self.call("POST", f"{V3}/createRoom", options)["room_id"])

    def join(self, room: str) -> str:
        """Join a room by id or alias and return its id."""
        return str(self.call("POST", f"{V3}/join/{quote(room, safe='')}", {})["room_id"])

    def invite(self, room_id: str, user_id: str) -> None:
        """Invite a user."""
        self.call("POST", f"{_room(room_id)}/invite", {"user_id": user_id})

    def send(self, room_id: str, text: str, transaction_id: str) -> str:
        """Send a text message and return its event id."""
        return str(self.call("PUT", _send_path(room_id, transaction_id), _text(text))["event_id"])

    def put_state(self, room_id: str, event_type: str, content: dict[str, Any], state_key: str = "") -> str:
        """Send a state event and return its event id."""
        path = f"{_room(room_id)}/state/{quote(event_type, safe='')}/{quote(state_key, safe='')}"
        return str(self.call("PUT", path, content)["event_id"])

    def messages(self, room_id: str, **query: Any) -> Any:
        """Return one page of a room's history: ``dir`` (b if not given), ``from_``, ``to``, ``limit``, ``filter``."""
        options = {"dir": "b", **{key.rstrip("_"): value for key, value in query.items() if value is not None}}
        return self.call("GET", f"{_room(room_id)}/messages", query=options)

    def history(self, room_id: str, page: int = 100) -> list[dict[str, Any]]:
        """Return all that the user may see of a room's history, oldest first, by paging back from its end."""
        events: list[dict[str, Any]] = []
        at = None
        while True:
            reply = self.messages(room_id, from_=at, limit=page)
            events += reply["chunk"]
            if not reply.get("end") or not reply["chunk"]:
                return events[::-1]
            at = reply["end"]

    def sync(self, since: str | None = None, timeout_ms: int = 0, **query: Any) -> Any:
        """Return the reply of /sync; a ``filter`` may be a dictionary."""
        options = {"since": since, "timeout": timeout_ms, **query}
        return self.call("GET", f"{V3}/sync", query={key: value for key, value in options.items() if value is not None})

    def _session(self, reply: dict[str, Any]) -> "Client":
        return Client(self.url, reply["access_token"], reply["user_id"], reply["device_id"])


def try_send(client: Client, room_id: str, text: str, transaction_id: str) -> tuple[int, Any]:
    """Send a text message and return status and body, whatever they are."""
    return client.request("PUT", _send_path(room_id, transaction_id), _text(text))


def _text(text: str) -> dict[str, str]:
    return {"msgtype": "m.text", "body": text}


def _room(room_id: str) -> str:
    return f"{V3}/rooms/{quote(room_id, safe='')}"


def _send_path(room_id: str, transaction_id: str) -> str:
    return f"{_room(room_id)}/send/m.room.message/{quote(transaction_id, safe='')}"


def _query(query: Mapping[str, Any] | None) -> str:
    if not query:
        return ""
    return "?" + urlencode({key: _text_of(value) for key, value in query.items()})


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body

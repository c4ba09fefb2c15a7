"""Which requests Synapse's worker documentation gives to which worker, as a haproxy.cfg.

There are two workers that take requests: ``sync``; and ``client``, which also writes all streams but events and so
takes what belongs to them. What no worker may take, and paths of which nothing is said, go to the main process.
"""

from collections.abc import Mapping
from typing import Final

SYNC: Final = "sync events initialSync rooms/[^/]+/initialSync".split()
"""What waits for news, or starts a client. Expressions are of the path behind the version."""

_ROOMS: Final = """
    joined_members members messages state state/.* context/.* event/.* relations/.* hierarchy threads timestamp_to_event
    aliases redact/.* send/.* join invite leave ban unban kick typing/.* receipt/.* read_markers
""".split()

_USERS: Final = (
    "filter filter/.* account_data/.* rooms/[^/]+/tags rooms/[^/]+/tags/.* rooms/[^/]+/account_data/.*".split()
)

CLIENT: Final = [
    *"createRoom join/.* knock/.* joined_rooms publicRooms directory/room/.* search user_directory/search".split(),
    *[f"rooms/[^/]+/{each}" for each in _ROOMS],
    *[f"user/[^/]+/{each}" for each in _USERS],
    *"login register register/available register/m.login.registration_token/validity password_policy".split(),
    *"account/3pid account/whoami account/deactivate profile/.* devices devices/.* delete_devices".split(),
    *"keys/query keys/changes keys/claim keys/upload keys/device_signing/upload keys/signatures/upload".split(),
    *"room_keys/.* sendToDevice/.* presence/.* pushrules/.* notifications capabilities voip/turnServer".split(),
]

_HEAD = """\
global
    log stdout format raw daemon

defaults
    mode http
    option http-keep-alive
    timeout connect 5s
    timeout client 120s
    timeout server 120s

frontend matrix
    bind 127.0.0.1:{port}
    option forwardfor
    http-request set-header X-Forwarded-Proto http
"""


def render(port: int, backends: Mapping[str, int]) -> str:
    """The text of haproxy.cfg; `backends` are the ports of `main`, `sync` and `client`."""
    lines = [f"    acl sync path_reg {_expression(each)}" for each in SYNC]
    lines += [f"    acl client path_reg {_expression(each)}" for each in CLIENT]
    lines += ["    acl client path /_matrix/client/versions"]
    lines += ["    use_backend sync if sync", "    use_backend client if client", "    default_backend main"]
    for name, target in backends.items():
        lines += ["", f"backend {name}", f"    server {name} 127.0.0.1:{target}"]
    return _HEAD.format(port=port) + "\n".join(lines) + "\n"


def _expression(tail: str) -> str:
    return f"^/_matrix/client/(api/)?(v1|r0|v3|unstable)/{tail}$"

"""One process among others: what it shares with them, and how it finds who owns what.

* `config`      the keys of homeserver.yaml
* `process`     what a process is called and where it takes calls
* `failures`    errors that cross processes
* `shards`      the shards of rooms and users
* `owners`      calls and requests go where a shard is owned
* `network`     TCP, TLS and Redis, as `replication` asks for them
* `sharing`     all of it put together
"""

from workers.together.config import WorkersConfig
from workers.together.process import Process
from workers.together.sharing import Sharing

__all__ = ["Process", "Sharing", "WorkersConfig"]

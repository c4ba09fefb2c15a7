"""What processes say to each other goes over TLS if it is to, and over Redis however that is reached."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor, ssl
from twisted.protocols.portforward import ProxyFactory

from replication.redis_carrier import RedisCarrier, RedisLogin
from synapse_like.toolkit.clock import Clock
from tests.kit import certificates, ports
from tests.kit.group import start_group
from tests.kit.programs import find_redis
from workers.together.config import RedisConfig
from workers.together.network import TLS_NAME, redis_endpoint

TWISTED: Any = reactor
CLOCK = Clock(reactor)
PASSWORD = "a password of tests"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A Redis that wants a password, on a port and a Unix socket."""
    port, path = ports.claim(), str(tmp_path / "redis.sock")
    command = [str(find_redis().path), "--port", str(port), "--unixsocket", path, "--requirepass", PASSWORD]
    with subprocess.Popen([*command, "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL) as process:
        yield {"port": port, "path": path}
        process.terminate()


async def test_calls_over_tls(tmp_path: Path) -> None:
    chain, key = certificates.issue(tmp_path, TLS_NAME)
    tls = {"certificate_path": str(chain), "private_key_path": str(key), "ca_path": str(certificates.authority_file())}
    group = await start_group(tmp_path, {"worker_calls_tls": tls}, ("main", "event_writer", "client"))
    alice = await group.register("alice")
    room_id = await group.create_room(alice)
    assert [await group.send(alice, room_id, f"text {n}") for n in range(6)]
    await group.caught_up()
    assert sum(int(member.sharing.owners.passed_on) for member in group.members) > 0
    await group.stop()


@pytest.mark.parametrize("by", ["port", "socket", "tls"])
async def test_redis_with_a_password(redis: dict[str, Any], by: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"path": redis["path"]} if by == "socket" else {"port": redis["port"]}
    front = None
    if by == "tls":
        chain, key = certificates.issue(tmp_path, "localhost")
        context = ssl.DefaultOpenSSLContextFactory(str(key), str(chain))
        front = TWISTED.listenSSL(0, ProxyFactory("127.0.0.1", redis["port"]), context, interface="127.0.0.1")
        ca = str(certificates.authority_file())
        settings = {"port": front.getHost().port, "use_tls": True, "ca_file": ca}
    login = RedisLogin(password=PASSWORD, database=3)
    one, other = (RedisCarrier(redis_endpoint(reactor, RedisConfig(**settings)), login) for _ in range(2))
    heard: list[bytes] = []
    other.on_frame = heard.append
    for carrier in (one, other):
        carrier.start("channel")
    while b"hello" not in heard:
        one.send(b"hello")
        await CLOCK.sleep(0.01)
    for carrier in (one, other):
        await carrier.stop()
    if front is not None:
        await front.stopListening()


async def test_a_wrong_password_is_said(redis: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    carrier = RedisCarrier(redis_endpoint(reactor, RedisConfig(port=redis["port"])), RedisLogin(password="wrong"))
    carrier.start("channel")
    while "could not auth" not in caplog.text:
        await CLOCK.sleep(0.01)
    assert not carrier.has_listeners()
    assert "wrong" not in caplog.text
    await carrier.stop()

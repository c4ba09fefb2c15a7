"""The sections that every server has, written as administrators of Synapse write them."""

import pytest

from synapse_like.toolkit.config import ConfigErrors, load
from synapse_like.toolkit.config.rate_limits import RateLimit, RateLimits
from synapse_like.toolkit.config.server import DatabaseConfig, ServerConfig

MINIMAL = "server_name: example.com\nsigning_key_path: signing.key\n"
SYNAPSE = """
server_name: "example.com"
pid_file: homeserver.pid
listeners:
  - port: 8008
    tls: false
    type: http
    x_forwarded: true
    bind_addresses: ['::1', '127.0.0.1']
    resources:
      - names: [client, federation]
        compress: false
  - path: run/main.sock
    mode: 660
    type: http
    resources: [{names: [client]}, {names: [health]}]
  - port: 9000
    type: metrics
    bind_address: 127.0.0.1
database:
  name: psycopg2
  txn_limit: 10000
  args: {user: synapse, password: hush, database: synapse, host: localhost, cp_min: 5, cp_max: 20}
log_config: "log.config"
media_store_path: media_store
registration_shared_secret: "x"
report_stats: false
macaroon_secret_key: "y"
form_secret: "z"
signing_key_path: "signing.key"
trusted_key_servers:
  - server_name: "matrix.org"
rc_message: {per_second: 5, burst_count: 20}
rc_login: {address: {per_second: 1}}
rc_admin_redaction: {per_second: 1, burst_count: 50}
"""


@pytest.fixture
def loaded(tmp_path):
    (tmp_path / "signing.key").touch()

    def load_text(text):
        (tmp_path / "homeserver.yaml").write_text(text)
        return load([tmp_path / "homeserver.yaml"], [ServerConfig, DatabaseConfig, RateLimits])

    return load_text


def test_a_file_of_synapse_is_understood(loaded, tmp_path):
    config = loaded(SYNAPSE)
    main, sock, metrics = config[ServerConfig].listeners
    assert (main.port, main.x_forwarded, main.addresses) == (8008, True, ("::1", "127.0.0.1"))
    assert main.resource_names == {"client", "federation"}
    assert (sock.port, sock.path, sock.mode, sock.resource_names) == (
        None,
        str(tmp_path / "run/main.sock"),
        "660",
        {"client", "health"},
    )
    assert (metrics.addresses, metrics.resource_names) == (("127.0.0.1",), {"metrics"})
    assert {remark.key for remark in config.remarks} == {
        "media_store_path",
        "registration_shared_secret",
        "trusted_key_servers",
    }


def test_the_arguments_of_the_database(loaded, tmp_path):
    database = loaded(SYNAPSE)[DatabaseConfig].database
    assert database.connections == (5, 20)
    assert database.arguments == {"user": "synapse", "password": "hush", "database": "synapse", "host": "localhost"}
    sqlite = loaded(MINIMAL + "database: {name: sqlite3, args: {database: data/a.db}}")[DatabaseConfig].database
    assert sqlite.arguments == {"database": str(tmp_path / "data/a.db")}


def test_a_password_of_the_database_is_not_shown(loaded):
    assert "hush" not in repr(loaded(SYNAPSE)[DatabaseConfig])


def test_rate_limits_have_the_defaults_that_administrators_know(loaded):
    limits = loaded(MINIMAL)[RateLimits]
    assert limits.rc_message == RateLimit(0.2, 10)
    assert limits.rc_login.failed_attempts == RateLimit(0.17, 3)
    assert limits.rc_admin_redaction is None
    changed = loaded(SYNAPSE)[RateLimits]
    assert changed.rc_message == RateLimit(5.0, 20)
    assert changed.rc_login.address == RateLimit(1.0, 5)
    assert changed.rc_admin_redaction == RateLimit(1.0, 50)


WRONG = [
    ("server_name: a b\nsigning_key_path: signing.key", "server_name: must be a host name"),
    ("server_name: a", "signing_key_path: must be set"),
    ("server_name: a\nsigning_key_path: other.key", "there is no file"),
    (MINIMAL + "public_baseurl: matrix.example.com", "must begin with https://"),
    (MINIMAL + "listeners: []", "at least one listener"),
    (MINIMAL + "listeners: [{type: http}]", "either a port or a path"),
    (MINIMAL + "listeners: [{port: 1, path: a}]", "either a port or a path"),
    (MINIMAL + "listeners: [{port: 70000}]", "at most 65535"),
    (MINIMAL + "listeners: [{port: 1, resources: [{names: [clients]}]}]", "clients: known are client"),
    (MINIMAL + "listeners: [{port: 1, resources: []}]", "at least one resource"),
    (MINIMAL + "listeners: [{port: 1, tls: true}]", "tls needs tls_certificate_path"),
    (MINIMAL + "listeners: [{port: 1, mode: 999}]", "must be octal"),
    (MINIMAL + "listeners: [{port: 1, trusted_proxies: [nobody]}]", "trusted_proxies"),
    (MINIMAL + "listeners: [{port: 1, type: manhole}]", "must be one of http, metrics"),
    (MINIMAL + "database: {name: mysql}", "must be one of sqlite3, psycopg2"),
    (MINIMAL + "database: {args: {cp_max: 0}}", "database.args.cp_max"),
    (MINIMAL + "rc_invites: {per_room: {per_second: -1}}", "rc_invites.per_room: per_second"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_what_is_wrong_is_said(loaded, text, words):
    with pytest.raises(ConfigErrors) as caught:
        loaded(text)
    assert words in str(caught.value)
    assert len(caught.value.remarks) == 1

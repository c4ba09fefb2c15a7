"""Sections that every process has: the server's name, listeners, logs, keys and secrets, and the database.

What a feature needs stands in the ``config.py`` of that feature; rate limits in ``rate_limits``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.toolkit.config.options import option, required
from synapse_like.toolkit.config.values import Arguments, FilePath, Secret
from synapse_like.toolkit.http.proxies import PRIVATE_NETWORKS, TrustedProxies

RESOURCES = frozenset(
    {"client", "federation", "keys", "media", "openid", "static", "health", "metrics", "consent", "replication"}
)


@dataclass(frozen=True)
class Resource:
    """What a listener serves."""

    names: tuple[str, ...] = required("Any of client, federation, keys, media, openid, static, health, metrics.")
    compress: bool = option(False, "Compress replies for clients that accept it.")


@dataclass(frozen=True)
class Listener:
    """One place to listen at: a port, or a Unix socket."""

    port: int | None = option(None, "TCP port.")
    bind_addresses: tuple[str, ...] = option(("::1", "127.0.0.1"), "Addresses of this machine.")
    bind_address: str | None = option(None, "The same for a single address.")
    path: FilePath | None = option(None, "A Unix socket instead of a port.")
    mode: str = option("666", "Access rights of the Unix socket, in octal.")
    type: Literal["http", "metrics"] = option(
        "http", "metrics serves only /metrics (also as /_synapse/metrics) and /health."
    )
    tls: bool = option(False, "Speak TLS with the certificate of tls_certificate_path.")
    tag: str | None = option(None, "A name for this listener in the access log.")
    x_forwarded: bool = option(False, "Believe X-Forwarded-For and X-Forwarded-Proto of trusted_proxies.")
    trusted_proxies: tuple[str, ...] = option(PRIVATE_NETWORKS, "Networks whose X-Forwarded-For is believed.")
    request_id_header: str | None = option(None, "Take the request id for the log from this header.")
    resources: tuple[Resource, ...] = option((Resource(names=("client", "federation")),), "What is served.")
    additional_resources: dict[str, Any] = option({}, "Resources of modules, by path.")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to bind to."""
        return (self.bind_address,) if self.bind_address else self.bind_addresses

    @property
    def resource_names(self) -> frozenset[str]:
        """The names of all resources, as written."""
        if self.type == "metrics":
            return frozenset({"metrics"})
        return frozenset(name for resource in self.resources for name in resource.names)


@dataclass(frozen=True)
class ServerConfig:
    """The server: its name, where it listens, where its keys are, and its log."""

    server_name: str = required(
        "The name of the server, the part behind the colon in @user:example.com. It can never be changed."
    )
    public_baseurl: str | None = option(
        None, "The address at which clients reach this server, https://matrix.example.com/"
    )
    serve_server_wellknown: bool = option(
        False, "Answer /.well-known/matrix/server, so that other servers find this one on port 443."
    )
    listeners: tuple[Listener, ...] = option(
        (Listener(port=8008, resources=(Resource(names=("client", "federation")),)),), "Where the server listens."
    )
    tls_certificate_path: FilePath | None = option(None, "Certificate chain for listeners with tls, in PEM form.")
    tls_private_key_path: FilePath | None = option(None, "The private key of the certificate, in PEM form.")
    pid_file: FilePath | None = option(None, "Write the process id to this file.")
    report_stats: bool = option(False, "Known to Synapse's administrators; nothing is ever reported from here.")

    signing_key_path: FilePath | None = option(None, "The key that signs events. Keep it safe and back it up.")
    macaroon_secret_key: Secret | None = option(None, "The secret that access tokens are hashed with.")
    form_secret: Secret | None = option(None, "The secret that forms on web pages are protected with.")

    log_config: FilePath | None = option(None, "A file for Python's logging.config.dictConfig, in YAML; it wins.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = option("INFO", "How much to log.")
    log_format: Literal["text", "json"] = option("text", "One line of text or one JSON object per record.")

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys."""
        if not is_valid_server_name(self.server_name):
            yield "server_name", f"must be a host name such as example.com, not {self.server_name!r}"
        if self.public_baseurl and not self.public_baseurl.startswith(("https://", "http://")):
            yield "public_baseurl", "must begin with https:// or http://"
        if self.signing_key_path is None:
            yield "signing_key_path", "must be set; `synapse-like generate-config` makes a key"
        elif not Path(self.signing_key_path).is_file():
            yield "signing_key_path", f"there is no file {self.signing_key_path}"
        if not self.listeners:
            yield "listeners", "must name at least one listener"
        if any(each.tls for each in self.listeners) and not (self.tls_certificate_path and self.tls_private_key_path):
            yield "listeners", "tls needs tls_certificate_path and tls_private_key_path"
        for at, listener in enumerate(self.listeners):
            yield from _problems_of(listener, f"listeners[{at}]")


@dataclass(frozen=True)
class Database:
    """Which database, and how to reach it."""

    name: Literal["sqlite3", "psycopg2"] = option("sqlite3", "psycopg2 is PostgreSQL.")
    args: Arguments = option(
        Arguments(),
        "sqlite3: database (a file). psycopg2: user, password, dbname, host, port, cp_min, cp_max and all of libpq's.",
    )
    txn_limit: int = option(0, "Open a connection anew after so many transactions; 0 means never.")
    allow_unsafe_locale: bool = option(False, "Accept a PostgreSQL database whose collation is not C.")
    prepare_statements: bool = option(
        True,
        "Let sessions of PostgreSQL keep the plans of statements; false behind a pooler that gives every transaction "
        "another session (pgbouncer's transaction mode).",
    )

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments without the connection pool's; SQLite's file as a full path."""
        if self.name == "sqlite3":
            return {"database": str(self.args.folder / self.args.get("database", "homeserver.db"))}
        return {key: value for key, value in self.args.items() if not key.startswith("cp_")}

    @property
    def connections(self) -> tuple[int, int]:
        """The least and the greatest number of connections (cp_min, cp_max)."""
        greatest = int(self.args.get("cp_max", 10))
        return min(int(self.args.get("cp_min", 5)), greatest), greatest


@dataclass(frozen=True)
class DatabaseConfig:
    """The database: SQLite for a small server in one process, PostgreSQL for everything else."""

    database: Database = option(Database(), "Which database, and how to reach it.")

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys."""
        for key in ("cp_min", "cp_max"):
            if not isinstance(self.database.args.get(key, 1), int) or self.database.args.get(key, 1) < 1:
                yield f"database.args.{key}", "must be a whole number above 0"


def _problems_of(listener: Listener, key: str) -> Iterator[tuple[str, str]]:
    if (listener.port is None) == (listener.path is None):
        yield key, "must have either a port or a path"
    if listener.port is not None and not 0 <= listener.port <= 65535:
        yield f"{key}.port", "must be at most 65535"
    if not listener.resource_names:
        yield f"{key}.resources", "must name at least one resource"
    if unknown := listener.resource_names - RESOURCES:
        yield f"{key}.resources", f"{', '.join(sorted(unknown))}: known are {', '.join(sorted(RESOURCES))}"
    if not re.fullmatch(r"[0-7]{3,4}", listener.mode):
        yield f"{key}.mode", "must be octal, such as 666"
    try:
        TrustedProxies(listener.trusted_proxies)
    except ValueError as error:
        yield f"{key}.trusted_proxies", str(error)

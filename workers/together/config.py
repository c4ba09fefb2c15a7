"""The keys of homeserver.yaml about several processes: Redis, the secret they share, and the pace of leases."""

from collections.abc import Iterator
from dataclasses import dataclass

from synapse_like.toolkit.config import Duration, FilePath, Secret, option


@dataclass(frozen=True)
class RedisConfig:
    """Redis carries news between processes faster than the database tells them."""

    enabled: bool = option(False, "Use Redis. Without it, processes pass news on over TCP.")
    host: str = option("localhost", "Where it listens.")
    port: int = option(6379, "Its port.")
    path: FilePath | None = option(None, "Its Unix socket, instead of host and port.")
    username: str | None = option(None, "The user to log in as.")
    password: Secret | None = option(None, "The password to log in with.")
    dbid: int = option(0, "Number of the database; publishing does not depend on it.")
    use_tls: bool = option(False, "Speak TLS.")
    certificate_file: FilePath | None = option(None, "Our certificate, if Redis asks for one, in PEM form.")
    private_key_file: FilePath | None = option(None, "The private key of it.")
    ca_file: FilePath | None = option(None, "Certificate authorities to trust instead of the system's.")


@dataclass(frozen=True)
class CallsTls:
    """TLS for calls between processes."""

    certificate_path: FilePath | None = option(None, "The certificate that every process shows, in PEM form.")
    private_key_path: FilePath | None = option(None, "The private key of it.")
    ca_path: FilePath | None = option(None, "The certificate authority that has signed it.")


@dataclass(frozen=True)
class WorkersConfig:
    """Several processes: they register themselves in the database, and share the work."""

    redis: RedisConfig = option(RedisConfig(), "Redis, if there is one.")
    worker_replication_secret: Secret | None = option(
        None, "The secret that processes prove to each other; made from macaroon_secret_key if it is not set."
    )
    worker_calls_tls: CallsTls = option(CallsTls(), "TLS for calls between processes; plain TCP if it is not set.")
    worker_lease: Duration = option(Duration.of("8s"), "How long a process that has fallen silent keeps what it owns.")

    def check(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between keys."""
        tls = (self.worker_calls_tls.certificate_path, self.worker_calls_tls.private_key_path)
        if any(tls) and not all((*tls, self.worker_calls_tls.ca_path)):
            yield "worker_calls_tls", "needs certificate_path, private_key_path and ca_path"
        if self.worker_lease.ms < 400:
            yield "worker_lease", "must be at least 400ms"
        if not 0 < self.redis.port < 65536:
            yield "redis.port", "must be a port"

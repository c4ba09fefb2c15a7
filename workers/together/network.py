"""TCP, TLS and Redis, as `replication` asks for them."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)

from workers.together.config import CallsTls, RedisConfig

CONNECT_SECONDS = 3.0
TLS_NAME = "synapse-like"
"""The name that the certificate of processes is made out to."""


def connector(reactor: Any, tls: CallsTls) -> "Callable[[str, int, Any], Deferred[Any]]":
    """Opens connections to other processes."""
    options = None
    if tls.certificate_path:
        certificate = _certificate(str(tls.certificate_path), str(tls.private_key_path))
        options = optionsForClientTLS(TLS_NAME, trustRoot=_authority(str(tls.ca_path)), clientCertificate=certificate)

    def connect(host: str, port: int, factory: Any) -> "Deferred[Any]":
        endpoint: Any = HostnameEndpoint(reactor, host, port, timeout=CONNECT_SECONDS)
        if options is not None:
            endpoint = wrapClientTLS(options, endpoint)
        connected: Deferred[Any] = endpoint.connect(factory)
        return connected

    return connect


def listener(reactor: Any, tls: CallsTls) -> Callable[[str, int, Any], Any]:
    """Listens for other processes."""
    options: CertificateOptions | None = None
    if tls.certificate_path:
        certificate = _certificate(str(tls.certificate_path), str(tls.private_key_path))
        options = certificate.options(_authority_certificate(str(tls.ca_path)))

    def listen(host: str, port: int, factory: Any) -> Any:
        if options is None:
            return reactor.listenTCP(port, factory, interface=host)
        return reactor.listenSSL(port, factory, options, interface=host)

    return listen


def redis_endpoint(reactor: Any, config: RedisConfig) -> Any:
    """Where Redis is."""
    if config.path:
        unix: Any = UNIXClientEndpoint
        return unix(reactor, str(config.path), timeout=CONNECT_SECONDS)
    endpoint: Any = HostnameEndpoint(reactor, config.host, config.port, timeout=CONNECT_SECONDS)
    if not config.use_tls:
        return endpoint
    trust = {"trustRoot": _authority(str(config.ca_file))} if config.ca_file else {}
    own = None
    if config.certificate_file and config.private_key_file:
        own = _certificate(str(config.certificate_file), str(config.private_key_file))
    return wrapClientTLS(optionsForClientTLS(config.host, clientCertificate=own, **trust), endpoint)


def _certificate(certificate_path: str, key_path: str) -> Any:
    with open(certificate_path, "rb") as certificate, open(key_path, "rb") as key:
        pem: Any = PrivateCertificate
        return pem.loadPEM(certificate.read() + b"\n" + key.read())


def _authority_certificate(path: str) -> Any:
    with open(path, "rb") as file:
        return Certificate.loadPEM(file.read())


def _authority(path: str) -> Any:
    trust: Any = trustRootFromCertificates
    return trust([_authority_certificate(path)])

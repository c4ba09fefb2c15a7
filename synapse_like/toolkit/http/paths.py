"""The prefixes of Matrix paths: short ways to write the paths of an endpoint, aliases included."""


def client(path: str, *, also_r0: bool = True, unstable: str | None = None) -> tuple[str, ...]:
    """Return ``/_matrix/client/v3`` + path, with its ``r0`` alias, and its unstable one if a prefix is named.

    ``unstable`` is the prefix of the Matrix proposal, like ``org.matrix.msc3202``.
    """
    versions = ("v3", "r0") if also_r0 else ("v3",)
    return (*(f"/_matrix/client/{version}{path}" for version in versions), *_unstable(path, unstable))


def client_v1(path: str, *, unstable: str | None = None) -> tuple[str, ...]:
    """Return ``/_matrix/client/v1`` + path, and its unstable alias if a prefix is named."""
    return (f"/_matrix/client/v1{path}", *_unstable(path, unstable))


def federation(path: str, *, version: str = "v1") -> tuple[str, ...]:
    """Return ``/_matrix/federation/v1`` + path (or another version)."""
    return (f"/_matrix/federation/{version}{path}",)


def admin(path: str, *, version: str = "v1") -> tuple[str, ...]:
    """Return ``/_synapse/admin/v1`` + path (or another version)."""
    return (f"/_synapse/admin/{version}{path}",)


def _unstable(path: str, prefix: str | None) -> tuple[str, ...]:
    return () if prefix is None else (f"/_matrix/client/unstable/{prefix}{path}",)

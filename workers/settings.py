"""The sections of homeserver.yaml, in the order in which the commented file shows them.

A section is declared by the package that uses it; this is only the list.
"""

from collections.abc import Sequence
from pathlib import Path

from synapse_like.catalogue import FEATURES
from synapse_like.toolkit.config import Config, load
from synapse_like.toolkit.config.observability import ObservabilityConfig
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.config.server import DatabaseConfig, ServerConfig
from synapse_like.toolkit.http.outgoing import OutgoingConfig
from workers.together.config import WorkersConfig

SECTIONS: tuple[type, ...] = (
    ServerConfig,
    DatabaseConfig,
    ObservabilityConfig,
    RateLimits,
    OutgoingConfig,
    WorkersConfig,
    *(section for feature in FEATURES for section in feature.configs),
)


def load_settings(paths: Sequence[str | Path]) -> Config:
    """Read the configuration of a server. Raises ConfigErrors."""
    return load(paths, SECTIONS)

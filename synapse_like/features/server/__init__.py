"""What the server says about itself: versions, capabilities, well-known files, health, metrics, its page; and the right
empty answers to what clients ask for at their start and that this server has nothing of yet.
"""

from synapse_like import __version__
from synapse_like.features.server.api import ServerApi
from synapse_like.features.server.capabilities import Capabilities
from synapse_like.features.server.config import WellKnownConfig
from synapse_like.features.server.empty import EmptyAnswersApi
from synapse_like.features.server.observation import HealthApi, MetricsApi
from synapse_like.features.server.pages import PagesApi
from synapse_like.toolkit.config.server import ServerConfig
from synapse_like.toolkit.feature import Built, Feature, Kit
from synapse_like.toolkit.readiness import Readiness

__all__ = ["FEATURE", "Capabilities"]


def build(kit: Kit, readiness: Readiness) -> Built:
    """The endpoints, and the list that features add their capabilities to."""
    server = kit.config[ServerConfig]
    capabilities = Capabilities()
    api = ServerApi(server, kit.config[WellKnownConfig], capabilities)
    pages = PagesApi(server.server_name, __version__)
    machines = HealthApi(readiness), MetricsApi(kit.metrics)
    return Built(fronts=[capabilities], apis=[api, pages, EmptyAnswersApi(), *machines])


FEATURE = Feature(
    name="server",
    build=build,
    package=__name__,
    apis=(ServerApi, PagesApi, EmptyAnswersApi, HealthApi, MetricsApi),
    configs=(WellKnownConfig,),
)

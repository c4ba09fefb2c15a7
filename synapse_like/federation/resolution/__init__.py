"""Finding a server: from its name to where to connect, what to call it, and what name it has to prove.

Source: server-server API, "Resolving server names".
"""

from synapse_like.federation.resolution.resolver import Ports, ServerResolver
from synapse_like.federation.resolution.route import Route
from synapse_like.federation.resolution.well_known import WellKnown

__all__ = ["Ports", "Route", "ServerResolver", "WellKnown"]

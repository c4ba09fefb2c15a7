"""HTTP: endpoints declared as data, our own request and reply types, and the server that joins them.

This is the front door; nothing above the toolkit sees Twisted's HTTP or a socket. The rules of the Matrix protocol
are elsewhere, except for what every reply carries: its error format and CORS.
"""

from synapse_like.toolkit.http.authentication import Authenticator
from synapse_like.toolkit.http.endpoint import (
    Auth,
    Balance,
    BoundEndpoint,
    Endpoint,
    Timeout,
    bound,
    declared,
    endpoint,
)
from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.paths import admin, client, client_v1, federation
from synapse_like.toolkit.http.query import Query
from synapse_like.toolkit.http.reply import Reply, html, redirect
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.http.requester import Requester

__all__ = [
    "Auth",
    "Authenticator",
    "Balance",
    "BoundEndpoint",
    "Endpoint",
    "Headers",
    "Query",
    "Reply",
    "Request",
    "Requester",
    "Timeout",
    "admin",
    "bound",
    "client",
    "client_v1",
    "declared",
    "endpoint",
    "federation",
    "html",
    "redirect",
]

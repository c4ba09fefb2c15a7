"""Paths that name a user, below which only that user may look."""

from typing import Any

from synapse_like.matrix.errors import Forbidden
from synapse_like.toolkit.http.request import Request


def own_user_id(request: Request[Any]) -> str:
    """The `user_id` of the path, which must be that of the caller. Raises Forbidden for any other."""
    if request.params["user_id"] != request.requester.user_id:
        raise Forbidden("These are the data of another user")
    return request.requester.user_id

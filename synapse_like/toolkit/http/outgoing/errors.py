"""What goes wrong on the way to another server. All are `ConnectionFailed` or `BadGateway` to a client."""

from synapse_like.matrix.errors import BadGateway, ConnectionFailed


class NameNotFound(ConnectionFailed):
    """The name has no address."""

    default_message = "The name of the other server has no address"


class NameLookupFailed(ConnectionFailed):
    """The name server did not answer, or not with an answer."""

    default_message = "The name of the other server cannot be looked up at the moment"


class AddressDenied(ConnectionFailed):
    """The name leads to addresses that are never connected to (`ip_range_blacklist`)."""

    default_message = "The address of the other server is not allowed"


class ConnectionBroken(ConnectionFailed):
    """The connection ended before the answer did. `has_begun` tells whether any of the answer had come."""

    def __init__(self, message: str, *, has_begun: bool) -> None:
        super().__init__(message)
        self.has_begun = has_begun


class AnswerTooLarge(BadGateway):
    """The answer is larger than what was allowed for it."""

    default_message = "The other server's answer is too large"


class AnswerMalformed(BadGateway):
    """The answer is not HTTP/1.1, or not what it must be."""

    default_message = "The other server's answer cannot be understood"

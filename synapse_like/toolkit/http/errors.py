"""What is wrong with a request as HTTP, before anybody has looked at what it asks for."""

from synapse_like.matrix.errors import Unknown


class MalformedRequest(Unknown):
    """These bytes are not an HTTP/1.1 request, or one that two servers could read differently."""

    default_message = "This is not a valid HTTP request"


class RequestTimeout(Unknown):
    """The rest of the request did not come in time."""

    status, default_message = 408, "The request was not completed in time"


class AddressTooLong(Unknown):
    """Path and query are longer than the server takes."""

    status, default_message = 414, "The address is too long"


class HeadersTooLarge(Unknown):
    """The headers are too many, or too long."""

    status, default_message = 431, "The headers are too large"

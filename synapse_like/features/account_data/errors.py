"""What goes wrong with account data."""

from synapse_like.matrix.errors import BadJson


class ServerControlled(BadJson):
    """The server writes this type itself; clients change it by other endpoints."""

    status, default_message = 405, "This type of account data cannot be set by clients"

"""What can be wrong with a new alias."""

from synapse_like.matrix.errors import Unknown


class AliasTaken(Unknown):
    """PUT of an alias that exists."""

    status, default_message = 409, "A room alias of that name exists already"

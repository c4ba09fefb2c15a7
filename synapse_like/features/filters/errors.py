"""What goes wrong with filters."""

from synapse_like.matrix.errors import UserLimitExceeded


class TooManyFilters(UserLimitExceeded):
    """A user has stored more filters than any client needs."""

    default_message = "You have stored too many filters"

"""What goes wrong with backups of keys."""

from synapse_like.matrix.errors import NotFound


class NoSuchBackup(NotFound):
    """There is no backup of that version, or none at all."""

    default_message = "There is no such backup of keys"

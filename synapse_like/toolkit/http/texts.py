"""Checking texts that clients choose freely: names of devices, passwords, ids of sessions."""

from synapse_like.matrix.errors import InvalidParam


def checked_text(name: str, text: str, max_length: int) -> str:
    """Return the text. Raises InvalidParam if it is too long or holds what no database takes (NUL)."""
    if len(text) > max_length:
        raise InvalidParam(f"{name} may have at most {max_length} characters")
    if not is_storable(text):
        raise InvalidParam(f"{name} contains a character that is not allowed")
    return text


def is_storable(text: str) -> bool:
    """Whether a database can hold the text: no NUL, no lone surrogate."""
    if "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)

"""Which names new users may have. Whether a name is taken is asked elsewhere."""

from synapse_like.matrix.errors import InvalidUsername
from synapse_like.matrix.ids import MAX_ID_BYTES, is_valid_localpart


def user_id_for(name: str, server_name: str, *, allows_underscore: bool = False) -> str:
    """Return the user id that a wanted name gives; upper case becomes lower case. Raises InvalidUsername."""
    localpart = name.lower()
    if not is_valid_localpart(localpart):
        raise InvalidUsername("A user name may contain only the letters a-z, digits, and . _ = - / +")
    if localpart.startswith("_") and not allows_underscore:
        raise InvalidUsername("A user name may not begin with an underscore")
    if localpart.isdigit():
        raise InvalidUsername("User names of digits alone are kept for guests")
    user_id = f"@{localpart}:{server_name}"
    if len(user_id) > MAX_ID_BYTES:
        raise InvalidUsername("This user name is too long")
    return user_id

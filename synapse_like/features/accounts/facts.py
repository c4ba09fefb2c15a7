"""What is known of an account: the fact that readers hear, and the values around it."""

from dataclasses import dataclass

from replication.streams import Fact


class AccountFact(Fact):
    """An account as it is from now on. Its password is told to nobody."""

    user_id: str
    is_guest: bool = False
    is_admin: bool = False
    is_deactivated: bool = False
    is_erased: bool = False
    is_locked: bool = False
    is_suspended: bool = False


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who wants an account. `password_hash` is None for guests and for users who log in otherwise."""

    user_id: str
    password_hash: str | None = None
    display_name: str | None = None
    is_guest: bool = False
    is_admin: bool = False
    user_type: str | None = None

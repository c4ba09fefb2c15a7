"""Runs a program that ends with whoever started it, also when that one is killed.

``python tether.py PARENT SIGNAL USER COMMAND...`` becomes USER (``-``: stays who it is), asks Linux for SIGNAL at the
parent's end, and becomes COMMAND: the process id stays. On other systems there is no such request. It uses the
standard library alone and is run by its path.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, number: int, user: str, command: list[str]) -> None:
    """Become the command, unless the parent is gone already."""
    if user != "-":
        _become(pwd.getpwnam(user))
    if sys.platform == "linux":  # after the change of user, which undoes it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    os.setsid()  # Ctrl-C is for the one that watches
    if os.getppid() == parent:
        os.execv(command[0], command)


def _become(entry: pwd.struct_passwd) -> None:
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])

"""Runs a command that ends with whoever started it, also when that one is killed.

``python dies_with_parent.py PARENT_PID COMMAND...`` asks Linux for a SIGKILL at the parent's end and becomes COMMAND:
the process id stays. On other systems it only becomes COMMAND. ``guard`` is for servers shared by a whole run.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent_pid: int, command: list[str]) -> None:
    """Become the command, unless the parent is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent_pid:
        os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

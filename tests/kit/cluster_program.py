"""``python -m tests.kit.cluster_program cluster ...``: the command ``synapse-like``, whose cluster is of stand-ins."""

import sys

from workers.cli import cluster
from workers.cli.commands import main

if __name__ == "__main__":
    cluster.PROGRAM = (sys.executable, "-m", "tests.kit.worker_stand_in")
    sys.exit(main(sys.argv[1:]))

"""``python -m tests.kit.cluster_program cluster ...``: the command ``cluster``, whose processes are stand-ins."""

import argparse
import sys

from workers.cli import cluster
from workers.cli.commands import guarded

if __name__ == "__main__":
    cluster.PROGRAM = (sys.executable, "-m", "tests.kit.worker_stand_in")
    parser = argparse.ArgumentParser("cluster_program")
    cluster.add_to(parser.add_subparsers(required=True))
    sys.exit(guarded(parser.parse_args()))

"""``python -m synapse_like -c homeserver.yaml``: the server in the foreground. The command line is ``workers.cli``."""

import sys

from workers.cli.commands import serve

if __name__ == "__main__":
    sys.exit(serve())

"""Kill, stop, cut off, remove and add the parts of a large cluster under load, with each bus, and check every promise.

    python3 -m tests faults                    everything
    python3 -m tests faults -k "die and tcp"   some of it; other options are pytest's, too

At the end it prints what clients felt, fault by fault.
"""

import os
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__, end="")
        sys.exit(0)
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", str(folder), *sys.argv[1:]]
    environment = {**os.environ, "SYNAPSE_LIKE_FAULTS": "large"}
    sys.exit(subprocess.run(command, cwd=folder.parents[1], env=environment, check=False).returncode)

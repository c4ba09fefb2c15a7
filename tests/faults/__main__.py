"""``python3 -m tests faults [...]``: all faults, more often, with more processes; options are pytest's."""

import os
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", str(folder), *sys.argv[1:]]
    environment = {**os.environ, "SYNAPSE_LIKE_FAULTS": "large"}
    sys.exit(subprocess.run(command, cwd=folder.parents[1], env=environment, check=False).returncode)

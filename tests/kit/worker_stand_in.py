"""``python -m tests.kit.worker_stand_in KIND -c ... --name ... --listen ... --metrics ...``: answers and does nothing.

It takes the flags of ``python -m workers KIND``, says who it is to whoever asks, and ends at SIGTERM. With the name of
a file in the environment's ``STAND_IN_REFUSES``, it ends at once, with exit code 3, while that file names its kind.
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from tests.kit.stubs import Stub


def main() -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind")
    parser.add_argument("-c", action="append", required=True)
    for flag in ("--name", "--listen", "--metrics"):
        parser.add_argument(flag, required=True)
    chosen = parser.parse_args()
    refuses = os.environ.get("STAND_IN_REFUSES")
    if refuses and Path(refuses).exists() and chosen.kind in Path(refuses).read_text().split():
        print("refusing to start", flush=True)
        return 3
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    stub = Stub(chosen.kind, chosen.name, int(chosen.listen.rpartition(":")[2]))
    print(f"{chosen.name} answers", flush=True)
    ended.wait()
    stub.stop()
    print(f"{chosen.name} ends", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

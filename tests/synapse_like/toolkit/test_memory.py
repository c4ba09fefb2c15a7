"""A server that has started leaves what stands alone, and looks at what is young less often than Python would."""

import subprocess
import sys

_SETTLED = """
import gc
from synapse_like.toolkit.memory import settle, share_one_arena
share_one_arena()
before = gc.get_threshold()
settle()
assert gc.isenabled()
assert gc.get_freeze_count() > 1000
assert gc.get_threshold()[0] > 10 * before[0]
circle = []
circle.append(circle)
del circle
assert gc.collect() >= 1, "what comes later is still looked at"
"""


def test_what_stands_is_left_alone_and_what_comes_is_still_collected() -> None:
    done = subprocess.run([sys.executable, "-c", _SETTLED], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr

"""A cluster with each bus. What clients felt is printed at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.parts import LARGE, SMALL, Parts, running
from tests.faults.scene import IS_LARGE, REPORT
from tests.kit import run_folder

BUSES = ("tcp", "redis")
COUNTS = LARGE if IS_LARGE else SMALL


@pytest.fixture(params=BUSES)
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Parts]:
    """A running cluster; the mark `cuttable` names processes that are connected over lines.

    With the mark `small_on` a test runs with that bus alone, but for the large size.
    """
    only = request.node.get_closest_marker("small_on")
    if only and not IS_LARGE and request.param not in only.args:
        pytest.skip(f"at small size only with {only.args[0]}")
    mark = request.node.get_closest_marker("cuttable")
    with running(Parts(tmp_path, request.param, COUNTS, tuple(mark.args) if mark else ())) as started:
        yield started


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What clients felt, fault by fault."""
    path = run_folder.path() / REPORT
    if not hasattr(terminalreporter.config, "workerinput") and path.exists():
        terminalreporter.write_sep("=", "faults")
        terminalreporter.write(path.read_text())

"""What may not stand in any tracked file: paths of one machine, hosts of package registries, conflict marks."""

import re
from pathlib import Path

import pytest

from tests.house.sources import ROOT, tracked_files

_DOT = r"\."
FORBIDDEN = {
    "a package registry": rf"pypi{_DOT}org|pythonhosted{_DOT}org|npmjs{_DOT}(org|com)|yarnpkg{_DOT}com",
    "a home folder": r"(?<![\w.$}])/(home/[a-z][\w-]*|root|Users/[A-Za-z][\w-]*)/",
    "a conflict mark": r"(?m)^(<{7} |>{7} |={7}$)",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
_THIS = str(Path(__file__).relative_to(ROOT))


def _texts():
    for name in tracked_files():
        data = (ROOT / name).read_bytes()
        if b"\0" not in data and name != _THIS:
            yield name, data.decode("utf-8", "replace")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_holds(what):
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name, text in _texts()
        for match in pattern.finditer(text)
    ]
    assert not found, "\n" + "\n".join(found)


def test_no_tracked_file_names_the_folder_of_this_clone():
    here = f"{ROOT}/"
    if here.count("/") < 3:
        pytest.skip("the clone lies directly below / and its name may be any word")
    assert [name for name, text in _texts() if here in text] == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a package registry", "https://pypi.org/simple"),
        ("a home folder", "see /home/alice/clone"),
        ("a home folder", "data: /root/data"),
        ("a conflict mark", "a\n<<<<<<< HEAD\n"),
        ("a private key", "-----BEGIN RSA PRIVATE KEY-----"),
    ],
)
def test_the_pattern_finds(what, text):
    assert re.search(FORBIDDEN[what], text)


@pytest.mark.parametrize("text", ["$HOME/clone", "GET /_matrix/client/v3/rooms/home/x", "${ROOT}/root/a"])
def test_a_path_on_any_machine_is_fine(text):
    assert not re.search(FORBIDDEN["a home folder"], text)

"""``up`` says what one can copy and paste, and does not overrule a configuration that exists."""

from dataclasses import replace

import pytest

from synapse_like.toolkit.config.server import Listener
from synapse_like.toolkit.randomness import Randomness
from workers.cli import quick_start
from workers.cli.data_folder import CONFIG_FILE, make
from workers.settings import load_settings


def test_the_welcome_names_address_first_user_and_settings(tmp_path):
    folder = tmp_path / "my data"
    make(folder, "example.com", 8123, Randomness())
    said = quick_start.welcome(load_settings([folder / CONFIG_FILE]), folder / CONFIG_FILE)
    assert "http://localhost:8123" in said
    assert f"register-user -c '{folder / CONFIG_FILE}' --admin alice" in said
    assert "@alice:example.com" in said


@pytest.mark.parametrize(
    ("changes", "addresses"),
    [
        ({"port": 80, "bind_addresses": ("127.0.0.1", "::1")}, ["http://localhost:80"]),
        ({"port": 80, "bind_addresses": ("10.0.0.1", "fd00::1")}, ["http://10.0.0.1:80", "http://[fd00::1]:80"]),
        ({"port": 443, "tls": True, "bind_address": "0.0.0.0"}, ["https://localhost:443"]),
        ({"path": "/run/a.sock"}, ["unix:/run/a.sock"]),
    ],
)
def test_addresses_as_one_types_them(changes, addresses):
    assert quick_start.addresses_of(replace(Listener(), **changes)) == addresses


@pytest.mark.parametrize(("name", "port"), [("other.com", None), (None, 9999), ("localhost", 9999)])
def test_options_that_contradict_the_folder_are_refused(tmp_path, capsys, name, port):
    make(tmp_path, "localhost", 8008, Randomness())
    assert quick_start.run(str(tmp_path), name, port, build=None) == 2
    assert "--data" in capsys.readouterr().err

"""The commented homeserver.yaml says what is declared, and can be read back."""

import re

from synapse_like.toolkit.config import load, render
from synapse_like.toolkit.config.options import options_of
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.config.server import DatabaseConfig, ServerConfig

SECTIONS = [ServerConfig, DatabaseConfig, RateLimits]
LIVE = {"server_name": "example.com", "signing_key_path": "signing.key"}


def _loaded(tmp_path, text):
    path = tmp_path / "homeserver.yaml"
    path.write_text(text)
    (tmp_path / "signing.key").touch()
    return load([path], SECTIONS)


def test_every_declared_key_is_explained():
    text = render(SECTIONS, LIVE)
    for section in SECTIONS:
        for declared in options_of(section):
            assert declared.doc, declared.name
            assert re.search(rf"(?m)^#?{declared.name}(_path)?:", text), declared.name


def test_only_what_is_given_is_live(tmp_path):
    live = [line.split(":")[0] for line in render(SECTIONS, LIVE).splitlines() if line and not line.startswith("#")]
    assert live == list(LIVE)


def test_the_file_with_every_default_uncommented_means_the_defaults(tmp_path):
    commented = render(SECTIONS, LIVE)
    plain = re.sub(r"(?m)^#(?=[a-z_0-9]+:| *[a-z_0-9]+:| *- )", "", commented)
    plain = re.sub(r"(?m)^[a-z_]+_path: /path/to.*$", "", plain)
    config = _loaded(tmp_path, plain)
    assert config.remarks == ()
    for section in SECTIONS:
        assert config[section] == _loaded(tmp_path, commented)[section]


def test_given_keys_that_nobody_declared_are_kept():
    assert "\nother_path: x\n" in render(SECTIONS, {**LIVE, "other_path": "x"})

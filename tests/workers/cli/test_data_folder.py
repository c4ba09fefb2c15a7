"""A data folder holds what a server needs, readable by its owner only, and is never overwritten."""

import pytest

from synapse_like.matrix.signing_keys import read_signing_keys
from synapse_like.toolkit.config.server import DatabaseConfig, ServerConfig
from synapse_like.toolkit.randomness import Randomness, RepeatableRandomness
from workers.cli.data_folder import CONFIG_FILE, make
from workers.settings import load_settings


def test_a_server_can_be_run_from_it(tmp_path):
    folder = tmp_path / "a" / "b"
    make(folder, "example.com:8448", 8123, Randomness())
    settings = load_settings([folder / CONFIG_FILE])
    server = settings[ServerConfig]
    assert server.server_name == "example.com:8448"
    assert [listener.port for listener in server.listeners] == [8123]
    assert len(server.macaroon_secret_key.value) == 50
    assert len(read_signing_keys((folder / "example.com_8448.signing.key").read_text())) == 1
    assert settings[DatabaseConfig].database.arguments == {"database": str(folder / "homeserver.db")}


def test_only_the_owner_may_read_it(tmp_path):
    for path in make(tmp_path / "data", "localhost", 8008, Randomness()):
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_no_secret_stands_in_the_configuration_itself(tmp_path):
    make(tmp_path, "localhost", 8008, Randomness())
    text = (tmp_path / CONFIG_FILE).read_text()
    for name in ("macaroon_secret_key", "form_secret", "registration_shared_secret"):
        assert (tmp_path / name).read_text().strip() not in text
        assert f"{name}_path: {name}" in text


def test_nothing_is_overwritten(tmp_path):
    make(tmp_path, "localhost", 8008, RepeatableRandomness(1))
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError):
        make(tmp_path, "example.com", 8008, RepeatableRandomness(2))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_an_interrupted_first_run_is_finished_with_the_same_key(tmp_path):
    make(tmp_path, "localhost", 8008, RepeatableRandomness(1))
    key = (tmp_path / "localhost.signing.key").read_text()
    (tmp_path / CONFIG_FILE).unlink()
    (tmp_path / "form_secret").unlink()
    made = make(tmp_path, "localhost", 8008, RepeatableRandomness(2))
    assert [path.name for path in made] == ["form_secret", CONFIG_FILE]
    assert (tmp_path / "localhost.signing.key").read_text() == key


@pytest.mark.parametrize("name", ["", "a b", "http://example.com", "example.com:99999"])
def test_a_server_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(OSError, match="cannot be the name"):
        make(tmp_path / "x", name, 8008, Randomness())
    assert not (tmp_path / "x").exists()

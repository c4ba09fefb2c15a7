"""The table and the plot of the comparison say what was measured; and two clusters are, if only by a few messages."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.bench import side_by_side
from tests.bench.contestants import OURS, THEIRS
from tests.bench.measuring import Bench, Row
from tests.bench.plot import growth, ratios
from tests.bench.processes import ProcessesBench
from tests.kit.server import Server
from tests.kit.synapse import NotInstallable


def _row(name: str, cpu_ms: float, generator_share: float = 0.1, operations: int = 1000) -> Row:
    return Row(name, operations, cpu_ms, cpu_ms / 2, 100, 1, 2, 3, generator_share)


def _benches(folder: Path) -> dict[str, Bench]:
    benches = {}
    for title, factor in ((OURS, 1), (THEIRS, 20)):
        (folder / title).mkdir()
        server = Server(folder / title, {"name": "sqlite3", "args": {"database": ":memory:"}})
        rows = [_row("send", 0.5 * factor), _row("who <am> I", 0.1 * factor, 0.95 if factor == 1 else 0.1)]
        by_name = {"bytes of a message": 700.0 * factor}
        benches[title] = Bench(server, None, rows=rows, bytes_by_name=by_name, vacuum_s=0.2 * factor)
        benches[title].rows.append(_row("a few", factor, operations=2))
        benches[title].rows.append(_row("send", 2.0 * factor))
    benches[OURS].rows.append(_row("only ours", 1))
    return benches


def test_the_table_gives_ratios_and_marks_a_busy_generator(tmp_path: Path) -> None:
    text = side_by_side.table({"date": "today"}, _benches(tmp_path), {OURS: 2**20, THEIRS: 3 * 2**20})
    assert "| send | 0.50 + 0.25 | 10.00 + 5.00 | 20.0 | 100 / 100 |" in text
    assert "| send | 2.00 + 1.00 | 40.00 + 20.00 | 20.0 | 100 / 100 |" in text
    assert "| who <am> I | 0.10 + 0.05 | 2.00 + 1.00 | 20.0 | 100* / 100 |" in text
    assert "The generator was busy" in text
    assert "only ours" not in text
    assert "| a few | 1.00 + 0.50 | 20.00 + 10.00 | - |" in text
    assert "| bytes of a message | 700 | 14,000 | 20.0 |" in text
    assert "| vacuuming, CPU | 0.2 s | 4.0 s | 20.0 |" in text
    assert "| resident memory at the end | 1 MiB | 3 MiB | 3.0 |" in text


def test_the_plot_has_two_bars_for_each_operation(tmp_path: Path) -> None:
    drawing = ElementTree.fromstring(ratios(side_by_side.pairs(_benches(tmp_path)), "a title"))
    space = "{http://www.w3.org/2000/svg}"
    assert len(drawing.findall(f"{space}rect")) == 1 + 4 * 2
    texts = [each.text for each in drawing.findall(f"{space}text")]
    assert {"send", "who <am> I", "20.0 x", "a title"} <= set(texts)
    assert ratios([], "nothing").startswith("<svg")


def test_growth_is_drawn_as_a_curve_for_each_server() -> None:
    sizes = (10, 1000)
    pairs = [(_row(f"growth: send, {size:,} members", 0.5), _row("", size / 10)) for size in sizes]
    drawing = ElementTree.fromstring(growth([*pairs, (_row("send", 1), _row("send", 2))], (OURS, THEIRS)))
    ours, theirs = drawing.findall(".//{http://www.w3.org/2000/svg}polyline")
    heights = [[float(point.split(",")[1]) for point in each.attrib["points"].split()] for each in (ours, theirs)]
    assert heights[0][0] == heights[0][1]
    assert heights[1][0] > heights[1][1], "what costs more stands higher"
    assert {"send, by members", "10", "1,000"} <= {each.text for each in drawing.iter()}
    assert growth([], (OURS, THEIRS)).startswith("<svg")


def test_scenarios_between_servers_are_left_out_with_workers(capsys: pytest.CaptureFixture[str]) -> None:
    assert side_by_side.scenarios(["create", "inbound"], has_workers=True) == ["create"]
    assert "left out: inbound." in capsys.readouterr().out
    assert side_by_side.scenarios(["create", "inbound"], has_workers=False) == ["create", "inbound"]
    assert set(side_by_side.scenarios([], has_workers=True)) == set(side_by_side.SCENARIOS) - {"inbound", "outbound"}


@pytest.mark.timeout(300)  # the first of these tests may have to install Synapse
def test_clusters_are_compared_and_their_workers_do_the_work() -> None:
    try:
        facts, benches, memory = side_by_side.measure(["send-serial"], 0.05, has_workers=True)
    except NotInstallable as reason:
        pytest.skip(str(reason))
    text = side_by_side.table(facts, benches, memory)
    assert text.startswith(
        "with workers: 4 processes of synapse-like (main + event_writer1 + sync1 + client1), 4 process"
    )
    assert "| send, one after the other | " in text
    for title, workers in ((OURS, ("event_writer",)), (THEIRS, ("event_persister", "client"))):
        bench = benches[title]
        assert isinstance(bench, ProcessesBench)
        spent = bench.spent["send, one after the other"]
        assert all(spent[name] > spent["main"] for name in workers), spent
        assert memory[title] > 4 * 2**20

"""homeserver.yaml is read into sections, and everything wrong with it is said at once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.toolkit.config import (
    ConfigErrors,
    Duration,
    FilePath,
    Secret,
    Size,
    Weight,
    load,
    option,
    required,
)


@dataclass(frozen=True)
class Limit:
    per_second: float = option(0.2, "Refill.")
    burst_count: int = option(10, "Burst.")


@dataclass(frozen=True)
class Thing:
    name: str = required("Its name.")
    weight: int = option(1, "Its weight.")


@dataclass(frozen=True)
class SomeConfig:
    server_name: str = required("The name.")
    is_open: bool = option(False, "Open?")
    lifetime: Duration | None = option(None, "How long.")
    upload: Size = option(Size.of("50M"), "How much.")
    shared_secret: Secret | None = option(None, "A secret.")
    key_path: FilePath | None = option(None, "A path.")
    mode: Literal["fast", "slow"] = option("slow", "How.")
    rc_message: Limit = option(Limit(), "A limit.")
    rc_joins: Limit = option(Limit(0.01, 3), "Another limit.")
    things: tuple[Thing, ...] = option((), "Things.")
    names: list[str] = option([], "Names.")
    powers: dict[str, int] = option({}, "Powers.")
    anything: Any = option(None, "Whatever.")

    def check(self) -> Iterator[tuple[str, str]]:
        if self.is_open and self.shared_secret is None:
            yield "is_open", "needs shared_secret"


@pytest.fixture
def loaded(tmp_path):
    def load_text(*texts: str, section: type = SomeConfig):
        paths = []
        for number, text in enumerate(texts):
            path = tmp_path / f"{number}.yaml"
            path.write_text(text)
            paths.append(path)
        return load(paths, [section])

    return load_text


def _wrong(load_text, *texts):
    with pytest.raises(ConfigErrors) as caught:
        load_text(*texts)
    return [re.sub(r"^/\S*/", "", str(remark)) for remark in caught.value.remarks]


def test_defaults_fill_what_is_left_out(loaded):
    config = loaded("server_name: example.com")
    assert config[SomeConfig] == SomeConfig("example.com")
    assert config.remarks == ()


def test_every_kind_of_value(loaded, tmp_path):
    config = loaded(
        "server_name: example.com\nis_open: yes\nlifetime: 5m\nupload: 1K\nshared_secret: abc\n"
        "key_path: k/signing.key\nmode: fast\nrc_message: {per_second: 1}\nthings: [{name: a}, {name: b, weight: 2}]\n"
        "names: [x, y]\npowers: {a: 1}\nanything: {b: [1, null]}\n"
    )[SomeConfig]
    assert config == SomeConfig(
        server_name="example.com",
        is_open=True,
        lifetime=Duration(300_000),
        upload=Size(1024),
        shared_secret=Secret("abc"),
        key_path=FilePath(tmp_path / "k/signing.key"),
        mode="fast",
        rc_message=Limit(1.0, 10),
        things=(Thing("a", 1), Thing("b", 2)),
        names=["x", "y"],
        powers={"a": 1},
        anything={"b": [1, None]},
    )


def test_part_of_a_nested_section_keeps_the_default_of_its_own_key(loaded):
    assert loaded("server_name: a\nrc_joins: {burst_count: 7}")[SomeConfig].rc_joins == Limit(0.01, 7)


def test_the_later_file_wins_by_whole_top_level_key(loaded):
    config = loaded("server_name: a\nrc_message: {burst_count: 7}\nmode: fast", "rc_message: {per_second: 3}")
    assert config[SomeConfig].rc_message == Limit(3.0, 10)
    assert config[SomeConfig].mode == "fast"


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    (tmp_path / "b.yaml").write_text("server_name: b")
    (tmp_path / "a.yaml").write_text("server_name: a\nmode: fast")
    (tmp_path / "c.txt").write_text("server_name: c")
    config = load([tmp_path], [SomeConfig])[SomeConfig]
    assert (config.server_name, config.mode) == ("b", "fast")


def test_a_secret_comes_from_the_file_that_its_twin_names(loaded, tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    config = loaded("server_name: a\nshared_secret_path: secret\nis_open: true")
    assert config[SomeConfig].shared_secret == Secret("s3cret")


def test_an_empty_value_means_the_default(loaded):
    assert loaded("server_name: a\nmode:\nrc_message:\nlifetime:\nthings:")[SomeConfig] == SomeConfig("a")


def test_all_problems_are_reported_at_once_with_key_file_and_line(loaded):
    said = _wrong(
        loaded,
        "is_open: maybe\nlifetime: soon\nupload: [1]\nmode: quick\n"
        "rc_message: {per_second: fast}\nthings: [{weight: 2}, {name: a, weight: x}]\n",
        "names: x\npowers: 5\nkey_path: 3\nshared_secret_path: nowhere\n",
    )
    assert said[0] == "server_name: must be set"
    assert [line.split(" ")[0] + line.split(" ")[1] for line in said[1:]] == [
        "0.yaml:1:is_open:",
        "0.yaml:2:lifetime:",
        "0.yaml:3:upload:",
        "0.yaml:4:mode:",
        "0.yaml:5:rc_message.per_second:",
        "0.yaml:6:things[0]:",
        "0.yaml:6:things[1].weight:",
        "1.yaml:1:names:",
        "1.yaml:2:powers:",
        "1.yaml:3:key_path:",
        "1.yaml:4:shared_secret_path:",
    ]


def test_rules_between_keys_are_reported_with_the_others(loaded):
    assert _wrong(loaded, "server_name: a\nmode: x\nis_open: true") == [
        "0.yaml:2: mode: must be one of fast, slow, not 'x'",
        "0.yaml:3: is_open: needs shared_secret",
    ]


def test_a_secret_and_its_twin_exclude_each_other(loaded):
    (said,) = _wrong(loaded, "server_name: a\nshared_secret: hunter2\nshared_secret_path: b")
    assert "not both" in said


def test_a_wrong_secret_is_not_shown(loaded):
    (said,) = _wrong(loaded, "server_name: a\nshared_secret: [hunter2]")
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("key", "weight", "words"),
    [
        ("sever_name", Weight.WARNING, "did you mean server_name?"),
        ("qqqqqq", Weight.WARNING, "is not a known key"),
        ("instance_map", Weight.INFO, "is not needed"),
        ("worker_app", Weight.INFO, "is not needed"),
        ("url_preview_enabled", Weight.INFO, "does not have yet"),
        ("use_presence", Weight.WARNING, "write presence"),
    ],
)
def test_keys_without_effect_are_explained(loaded, key, weight, words):
    (remark,) = loaded(f"server_name: a\n{key}: 1").remarks
    assert (remark.weight, remark.key, remark.place.line) == (weight, key, 2)
    assert words in remark.message


def test_unknown_keys_below_a_section_are_named_too(loaded):
    (remark,) = loaded("server_name: a\nrc_message: {per_secnd: 1}").remarks
    assert (remark.key, "per_second" in remark.message) == ("rc_message.per_secnd", True)


def test_a_key_given_twice_is_remarked_upon(loaded):
    config = loaded("server_name: a\nserver_name: b")
    assert config[SomeConfig].server_name == "b"
    assert "first on line 1" in config.remarks[0].message


def test_keys_that_must_not_be_ignored_stop_the_server(loaded):
    (said,) = _wrong(loaded, "server_name: a\ndatabases: {}")
    assert "one database" in said


@pytest.mark.parametrize(("text", "words"), [("a: [1", "0.yaml:1"), ("- a", "must be a mapping"), ("\x00", "0.yaml")])
def test_files_that_are_no_yaml_mapping(loaded, text, words):
    (said,) = _wrong(loaded, text)
    assert words in said


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(ConfigErrors, match="No such file"):
        load([tmp_path / "none.yaml"], [SomeConfig])


def test_yaml_anchors_and_merges_work(loaded):
    config = loaded("server_name: a\nrc_message: &limit {per_second: 4}\nrc_joins: {<<: *limit, burst_count: 2}")
    assert config[SomeConfig].rc_joins == Limit(4.0, 2)


@dataclass(frozen=True)
class Loose:
    a: Any = option(None, "")
    b: int = option(1, "")
    c: Duration = option(Duration(1), "")
    d: dict[str, Limit] = option({}, "")
    e: tuple[str, ...] = option((), "")
    f: Limit = field(default=Limit())


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from("abcdef") | st.text(max_size=3), _VALUES))
def test_any_yaml_is_either_loaded_or_refused_in_words(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "a.yaml"
    path.write_text(yaml.safe_dump(content))
    try:
        assert isinstance(load([path], [Loose])[Loose], Loose)
    except ConfigErrors as error:
        assert error.remarks

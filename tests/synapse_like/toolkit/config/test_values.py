"""Durations, sizes and secrets as administrators write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.toolkit.config import Duration, Secret, Size


@pytest.mark.parametrize(
    ("written", "ms"),
    [(0, 0), (1500, 1500), ("1500", 1500), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("7d", 604_800_000),
     ("1w", 604_800_000), ("1y", 31_536_000_000), ("250ms", 250)],
)  # fmt: skip
def test_durations(written, ms):
    assert Duration.of(written).ms == ms


@pytest.mark.parametrize("written", ["", "5 m", "m", "-5s", "5x", "1.5h", True, "5mm"])
def test_no_durations(written):
    with pytest.raises(ValueError, match="must be milliseconds"):
        Duration.of(written)


@pytest.mark.parametrize(
    ("written", "count"),
    [(7, 7), ("7", 7), ("10K", 10_240), ("50M", 52_428_800), ("500MiB", 524_288_000), ("87KiB", 89_088),
     ("1g", 1 << 30), ("2T", 2 << 40), ("3MB", 3 << 20)],
)  # fmt: skip
def test_sizes(written, count):
    assert Size.of(written).bytes == count


@pytest.mark.parametrize("written", ["", "M", "-1", "5X", "1.5M", False, "5MM"])
def test_no_sizes(written):
    with pytest.raises(ValueError, match="must be bytes"):
        Size.of(written)


@given(st.integers(0, 2**60))
def test_what_is_written_can_be_read(number):
    assert Duration.of(str(Duration(number))).ms == number
    assert Size.of(str(Size(number))).bytes == number


@given(st.text(min_size=8))
def test_a_secret_is_not_shown(text):
    secret = Secret(text)
    assert text not in f"{secret} {secret!r} {[secret]}"
    assert secret.value == text

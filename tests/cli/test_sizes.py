"""Sizes on the command line."""

import pytest

from lowlight.cli._sizes import parse_pixels, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("3GB", 3 * 10**9), ("1.5 g", 1_500_000_000), ("800MB", 8 * 10**8), ("2KB", 2000), ("77", 77)],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text, "--max-memory") == size


def test_a_megabyte_may_be_the_computers() -> None:
    assert parse_size("20MB", "--max-upload", kilo=1024) == 20 * 2**20
    assert parse_size("1.5 kb", "--max-upload", kilo=1024) == 1536
    assert parse_size("7", "--max-upload", kilo=1024) == 7


@pytest.mark.parametrize("text", ["", "much", "inf", "nan", "-1GB", "0", "3TB", "1e400"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"--max-memory={text} is no size"):
        parse_size(text, "--max-memory")


def test_pixels_are_a_number_of_them() -> None:
    assert parse_pixels(25e6) == 25_000_000
    for number in (float("inf"), float("nan"), -1.0, 0.0):
        with pytest.raises(ValueError, match="is no number of pixels; write it as 25e6"):
            parse_pixels(number)

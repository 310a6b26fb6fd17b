"""The Range header, one range at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.media.ranges import UNSATISFIABLE, ByteRange, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-99", ByteRange(0, 100)),
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=10-", ByteRange(10, 100)),
        ("bytes=-10", ByteRange(90, 100)),
        ("bytes=-1000", ByteRange(0, 100)),  # longer than the file: all of it
        ("bytes=90-1000", ByteRange(90, 100)),
        ("Bytes= 5-6", ByteRange(5, 7)),
        ("bytes=100-", UNSATISFIABLE),
        ("bytes=100-200", UNSATISFIABLE),
        ("bytes=-0", UNSATISFIABLE),
        ("bytes=5-4", None),  # nonsense is ignored
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,5-6", None),  # several ranges: the whole file
        ("pages=1-2", None),
        ("bytes=٣-٤", None),
        ("bytes=" + "9" * 40 + "-", None),
    ],
)
def test_range_is_read_as_the_standard_says(header, expected):
    assert parse_range(header, 100) == expected


def test_nothing_of_an_empty_file_can_be_asked_for():
    assert parse_range("bytes=0-", 0) is UNSATISFIABLE


def test_content_range_counts_inclusively():
    assert ByteRange(0, 100).content_range(500) == "bytes 0-99/500"
    assert ByteRange(10, 15).size_bytes == 5


@given(st.text(max_size=30), st.integers(0, 1_000))
def test_any_header_stays_inside_the_file(text, size_bytes):
    found = parse_range(f"bytes={text}", size_bytes)
    if isinstance(found, ByteRange):
        assert 0 <= found.start < found.end <= size_bytes

import json

import pytest

from twintrack_bridge.wire import Frame, FrameSplitter, Oversize, decode


def frames(data: bytes, size: int, limit: int = 100) -> list[Frame | Oversize]:
    splitter = FrameSplitter(limit)
    return [
        frame for at in range(0, len(data), size) for frame in splitter.feed(data[at : at + size])
    ]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_frames_do_not_depend_on_how_the_bytes_arrive(size: int) -> None:
    data = '{"a":"é\u2028"}\r\n\n  \n\ufeff{"b":1}\n'.encode()

    found = frames(data, size)

    assert [decode(frame) for frame in found if isinstance(frame, Frame)] == [
        {"a": "é\u2028"},
        {"b": 1},
    ]


@pytest.mark.parametrize("size", [1, 64, 100_000])
def test_a_too_long_frame_is_dropped_and_the_next_one_is_read(size: int) -> None:
    long = b'{"jsonrpc":"2.0","id":17,"params":"' + b"x" * 50_000 + b'"}\n'

    dropped, read = frames(long + b"{}\n", size)

    assert isinstance(dropped, Oversize)
    assert dropped.request_id == 17
    assert isinstance(read, Frame)
    assert read.data == b"{}"


def test_a_too_long_frame_without_an_id_has_none() -> None:
    (dropped,) = frames(b"x" * 1000 + b"\n", 50)
    assert isinstance(dropped, Oversize)
    assert dropped.request_id is None


def test_a_frame_that_never_ends_is_not_kept() -> None:
    splitter = FrameSplitter(100)
    for _ in range(1000):
        assert list(splitter.feed(b"x" * 1000)) == []
    assert sum(len(part) for part in splitter._parts) == 0


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"{", b"NaN", b"[Infinity]", b"1e999", b"-1e999", b"[" * 100_000, b"1" * 5_000],
)
def test_what_is_not_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode(Frame(data))


def test_a_lone_surrogate_survives() -> None:
    assert decode(Frame(json.dumps({"a": "\ud800"}).encode())) == {"a": "\ud800"}

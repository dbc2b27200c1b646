"""Archives: read back exactly; no file makes a reader crash, run code or fill memory."""

import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from motsim.realdata import (
    read_archive,
    write_archive,
)
from tests.realdata.refused import Evil, refusal, refusal_if_any


def arrays(**changes):
    draw = np.random.default_rng(0)
    content = {
        "tokens": draw.normal(size=(6, 3, 4)),
        "labels": np.array([1, -1, 1, -1, 1, -1]),
        "classes": np.array([0, 1, 2, 0, 1, 2]),
    }
    return {name: value for name, value in {**content, **changes}.items() if value is not None}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_archive_is_read_back_exactly(tmp_path, save, order):
    path = tmp_path / "x.npz"
    content = arrays()
    save(path, **{name: np.asarray(value, order=order) for name, value in content.items()})
    found = read_archive(path)
    for name, value in content.items():
        np.testing.assert_array_equal(getattr(found, name), value)
    write_archive(path, **content)
    np.testing.assert_array_equal(read_archive(path).tokens, content["tokens"])


BAD_ARCHIVES = {
    "no labels": (arrays(labels=None), "needs an array 'labels'; it holds tokens, classes"),
    "two dimensions": (arrays(tokens=np.zeros((6, 4))), "floating numbers (n, L, d)"),
    "integers": (arrays(tokens=np.zeros((6, 3, 4), int)), "floating numbers (n, L, d)"),
    "objects": (arrays(labels=np.array([{}] * 6)), "labels must be integers (n,)"),
    "text": (arrays(labels=np.array(["a"] * 6)), "labels must be integers (n,)"),
    "float labels": (arrays(labels=np.ones(6)), "labels must be integers (n,)"),
    "fewer labels": (arrays(labels=np.array([1, -1])), "must agree"),
    "empty": (arrays(tokens=np.zeros((0, 3, 4))), "must agree and not be empty"),
    "nan": (arrays(tokens=np.full((6, 3, 4), np.nan)), "tokens must be finite"),
    "gap": (arrays(classes=np.array([0, 2, 3, 0, 2, 3])), "0 to N - 1 without gaps; got 0, 2, 3"),
    "label": (arrays(labels=np.array([-1, 0, 1, 1, 0, 1])), "-1 and +1, or 0 to C - 1"),
}


@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_a_wrong_archive_is_named(tmp_path, name):
    content, words = BAD_ARCHIVES[name]
    path = tmp_path / "mine.npz"
    np.savez(path, **content)
    message = refusal(lambda: read_archive(path))
    assert "mine.npz" in message
    assert words in message


def test_an_array_of_objects_is_not_unpickled(tmp_path):
    mark = tmp_path / "ran"
    path = tmp_path / "mine.npz"
    objects = np.empty(6, object)
    objects[:] = [Evil(mark)] * 6
    np.savez(path, **arrays(classes=objects))
    refusal(lambda: read_archive(path))
    assert not mark.exists()


@pytest.mark.parametrize("shape", [b"(99999, 99999, 9)}", b"(7, 3, 4)}", b"(5, 3, 4)}"])
def test_a_forged_header_is_refused(tmp_path, shape):
    """Too large to be read at all, or not what the file holds."""
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays())
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    held = parts["tokens.npy"]
    spot = held.index(b"(6, 3, 4)")
    parts["tokens.npy"] = held[:spot] + shape.ljust(20) + held[spot + 20 :]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    message = refusal(lambda: read_archive(path))
    assert "at most 200,000,000" in message or "truncated or too long" in message


def test_a_damaged_archive_is_never_another_exception(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays())
    whole = path.read_bytes()
    draw = np.random.default_rng(1)
    for cut in (0, 1, *draw.integers(2, len(whole) - 1, 40)):
        path.write_bytes(whole[:cut])
        assert "mine.npz" in refusal(lambda: read_archive(path))
    refused = 0
    for _ in range(300):
        spot = int(draw.integers(0, len(whole)))
        path.write_bytes(whole[:spot] + bytes([draw.integers(256)]) + whole[spot + 1 :])
        message = refusal_if_any(lambda: read_archive(path))
        assert "mine.npz" in message or not message
        refused += bool(message)
    assert refused > 100  # the checksums of the container notice most


def rewritten(path, change, method=zipfile.ZIP_STORED):
    """Write the archive anew with one member changed."""
    np.savez(path, **arrays())
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["tokens.npy"] = change(parts["tokens.npy"])
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def reshaped(shape, rest=b""):
    def change(held):
        spot = held.index(b"(6, 3, 4)")
        return held[:spot] + shape.ljust(20) + held[spot + 20 :] + rest

    return change


LONG_HEADER = b"\x93NUMPY\x02\x00" + (2**25).to_bytes(4, "little") + b" " * 2**25
GREEDY_ARCHIVES = {
    "a negative number": (reshaped(b"(-6, 3, 4), }", bytes(2**25)), "shape (-6, 3, 4)"),
    "more than it says": (reshaped(b"(6, 3, 4), }", bytes(2**25)), "truncated or too long"),
    "a long header": (lambda _: LONG_HEADER, "no valid header"),
    "a deep header": (reshaped(b"(" * 19), "no valid header"),
}


@pytest.mark.parametrize("name", GREEDY_ARCHIVES)
def test_a_greedy_archive_is_refused_before_it_is_unpacked(tmp_path, name):
    change, words = GREEDY_ARCHIVES[name]
    path = rewritten(tmp_path / "mine.npz", change, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    try:
        assert words in refusal(lambda: read_archive(path))
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    with zipfile.ZipFile(path) as archive:  # control: unpacked it is as large as that
        assert name == "a deep header" or len(archive.read("tokens.npy")) > 2**25


def test_an_archive_that_unpacks_to_much_more_than_it_has_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **arrays(tokens=np.zeros((6, 3, 4000))))
    assert read_archive(path).tokens.shape == (6, 3, 4000)  # control: small enough
    monkeypatch.setattr("motsim.realdata.archive.PACKED", 10_000)
    assert "unpacks to" in refusal(lambda: read_archive(path))


def test_bit_rot_in_a_packed_archive_is_said_in_one_line(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **arrays(tokens=np.random.default_rng(0).normal(size=(6, 3, 400))))
    whole = path.read_bytes()
    kinds = set()
    for spot in range(60, 3000, 7):
        path.write_bytes(whole[:spot] + bytes([whole[spot] ^ 16]) + whole[spot + 1 :])
        assert "mine.npz" in refusal(lambda: read_archive(path))
        try:  # control: the library says it in several ways
            np.load(path)["tokens"]
        except Exception as error:
            kinds.add(type(error))
    assert {zipfile.BadZipFile, zlib.error} <= kinds


def test_missing_and_foreign_archives_are_named(tmp_path):
    assert "no.npz: No such file" in refusal(lambda: read_archive(tmp_path / "no.npz"))
    (tmp_path / "text.npz").write_text("hello")
    assert "text.npz: truncated, or not" in refusal(lambda: read_archive(tmp_path / "text.npz"))
    assert "Is a directory" in refusal(lambda: read_archive(tmp_path))

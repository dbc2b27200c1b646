"""CIFAR as published: what is returned, and that no file makes it crash or run code."""

import codecs
import os
import pickle
import tracemalloc

import numpy as np
import pytest

from motsim.realdata import (
    load_cifar,
    read_archive,
)
from motsim.realdata.source import fingerprint
from tests.realdata.refused import Evil, refusal, refusal_if_any

CIFAR10 = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]


def batch(rows=3, key="labels", seed=0, **changes):
    draw = np.random.default_rng(seed)
    content = {
        "data": draw.integers(0, 256, (rows, 3072), dtype=np.uint8),
        key: draw.integers(0, 10, rows).tolist(),
        "batch_label": "one",
        "filenames": ["a.png"] * rows,
    }
    return {**content, **changes}


@pytest.fixture
def cifar(tmp_path):
    for seed, name in enumerate(CIFAR10):
        (tmp_path / name).write_bytes(pickle.dumps(batch(seed=seed), protocol=2))
    return tmp_path


@pytest.mark.parametrize("protocol", [2, 4])
def test_cifar10_is_read_as_numpy_would(tmp_path, protocol):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for seed, name in enumerate(CIFAR10):
        (folder / name).write_bytes(pickle.dumps(batch(seed=seed), protocol=protocol))
    for place in (folder, tmp_path):
        found = load_cifar("cifar10", place)
        assert (found.pixels.shape, found.num_train, found.peak) == ((18, 32, 32, 3), 15, 255)
        first = batch(seed=0)
        assert found.pixels[1, 5, 7, 2] == first["data"][1, 2 * 1024 + 5 * 32 + 7]  # blue plane
        assert found.labels[:3].tolist() == first["labels"]


def test_cifar_as_published_by_python_2(cifar):
    """The published files were pickled by Python 2: keys and pixels are byte strings."""
    data = batch()["data"]
    state = (1, data.shape, np.dtype("u1"), False, data.tobytes())
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR("
    kind = b"cnumpy\ndtype\n(U\x02u1I0\nI1\ntR(I3\nU\x01|NNNI-1\nI-1\nI0\ntb"
    raw = b"T" + len(state[4]).to_bytes(4, "little") + state[4]
    shape = b"(I3\nI3072\nt"
    pickled = b"(dU\x04data" + array + b"I1\n" + shape + kind + b"I00\n" + raw + b"tbs"
    pickled += b"U\x06labels(lI1\naI2\naI3\nas."
    (cifar / "data_batch_1").write_bytes(pickled)
    found = load_cifar("cifar10", cifar)
    assert found.labels[:3].tolist() == [1, 2, 3]
    assert (found.pixels[:3].transpose(0, 3, 1, 2).reshape(3, -1) == data).all()


def test_cifar100_has_fine_labels(tmp_path):
    for name in ("train", "test"):
        content = batch(key="fine_labels", fine_labels=[0, 99, 5], coarse_labels=[0, 1, 2])
        (tmp_path / name).write_bytes(pickle.dumps(content))
    assert load_cifar("cifar100", tmp_path).labels.tolist() == [0, 99, 5, 0, 99, 5]


class Getter:
    def __reduce__(self):
        return getattr, (np.ndarray, "tofile")


@pytest.mark.parametrize("place", ["alone", "inside"])
def test_a_pickle_cannot_run_code(cifar, tmp_path, place):
    mark = tmp_path / "ran"
    content = Evil(mark) if place == "alone" else batch(filenames=[Evil(mark)])
    (cifar / "data_batch_3").write_bytes(pickle.dumps(content))
    message = refusal(lambda: load_cifar("cifar10", cifar))
    assert "data_batch_3" in message
    assert "system, which is refused" in message
    assert not mark.exists()
    pickle.loads((cifar / "data_batch_3").read_bytes())  # the control: an ordinary one does
    assert mark.exists()


BAD_CIFAR = {
    "builtins": (Getter(), "getattr, which is refused"),
    "list": ([1, 2], "holds a list"),
    "no data": ({"labels": [1]}, "holds 'data' and 'labels'"),
    "floats": (batch(data=np.zeros((3, 3072))), "not of type uint8"),
    "objects": (batch(data=np.array([[{}]])), "not of type uint8"),
    "other array": (batch(data=[[0] * 3072] * 3), "its 'data' are not an array"),
    "shape": (batch(data=np.zeros((3, 3071), np.uint8)), "rows of 3072 bytes"),
    "fewer labels": (batch(labels=[1, 2]), "one label each"),
    "no images": (batch(rows=0), "labels of cifar10 must be 0 to 9"),
    "label 10": (batch(labels=[0, 1, 10]), "must be 0 to 9"),
    "label -1": (batch(labels=[0, 1, -1]), "must be 0 to 9"),
    "text label": (batch(labels=["cat"] * 3), "not a cifar10 file"),
    "huge label": (batch(labels=[2**80] * 3), "not a cifar10 file"),
    "label 0.5": (batch(labels=[0, 0.5, 1]), "must be a whole number; got 0.5"),
    "label True": (batch(labels=[0, True, 1]), "must be a whole number; got True"),
    "labels in labels": (batch(labels=[[0], [1], [2]]), "must be a whole number; got another"),
}


@pytest.mark.parametrize("name", BAD_CIFAR)
def test_a_foreign_cifar_file_is_named(cifar, name):
    content, words = BAD_CIFAR[name]
    (cifar / "test_batch").write_bytes(pickle.dumps(content))
    message = refusal(lambda: load_cifar("cifar10", cifar))
    assert "test_batch" in message
    assert words in message


def test_a_damaged_cifar_file_is_never_another_exception(cifar):
    """Cut at many places, and with bytes changed: an error that names it, or other pixels."""
    place = cifar / "test_batch"
    whole = pickle.dumps(batch(), protocol=2)
    draw = np.random.default_rng(0)
    head = len(whole) - 9216  # the rest are pixels
    for cut in draw.integers(0, len(whole), 40):
        place.write_bytes(whole[:cut])
        assert "test_batch" in refusal(lambda: load_cifar("cifar10", cifar))
    refused = 0
    for _ in range(200):
        spot = int(draw.integers(0, head))
        place.write_bytes(whole[:spot] + bytes([draw.integers(256)]) + whole[spot + 1 :])
        message = refusal_if_any(lambda: load_cifar("cifar10", cifar))
        assert "test_batch" in message or not message
        refused += bool(message)
    assert refused > 20


class Doubled:
    """One text of which a few bytes more ask for many copies."""

    def __init__(self, text):
        self.text = text

    def __reduce__(self):
        return codecs.encode, (self.text, "latin1")


def nested(depth):
    found = (1, 2)
    for _ in range(depth):
        found = (found, found)
    return found


TEXT = "a" * 10_000
#: Few bytes that ask for much: each is refused while a few bytes are all that was made.
GREEDY = {
    "copies": pickle.dumps([Doubled(TEXT) for _ in range(5000)], 2),
    "a far place": b"\x80\x02}r\xff\xff\xff\x7f.",
    "a long text": b"\x80\x04\x8d" + (2**40).to_bytes(8, "little") + b"a.",
    "a long number": b"\x80\x02\x8b\xff\xff\xff\x7f1.",
    "labels of labels": pickle.dumps(batch(labels=[nested(60)] * 3), 2),
    "a key of keys": pickle.dumps({"x": 1}, 2)[:-1] + pickle.dumps(nested(60), 2)[2:-1] + b"Ns.",
}


@pytest.mark.parametrize("name", GREEDY)
def test_a_greedy_cifar_file_is_refused_before_it_takes_anything(cifar, name):
    (cifar / "test_batch").write_bytes(GREEDY[name])
    tracemalloc.start()
    try:
        assert "test_batch" in refusal(lambda: load_cifar("cifar10", cifar))
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_control_copies_take_what_they_ask_for():
    tracemalloc.start()
    try:
        assert len(pickle.loads(GREEDY["copies"])) == 5000
        assert tracemalloc.get_traced_memory()[1] > 40_000_000
    finally:
        tracemalloc.stop()


def odd_files(folder):
    """A pipe that nobody writes, and a device that does not end."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    endless = folder / "endless"
    endless.symlink_to("/dev/zero")
    return pipe, endless


@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_is_no_data(cifar, tmp_path):
    aside = tmp_path / "aside"
    aside.mkdir()
    for odd in odd_files(aside):
        (cifar / "test_batch").unlink(missing_ok=True)
        (cifar / "test_batch").symlink_to(odd)
        for call in (
            lambda: load_cifar("cifar10", cifar),
            lambda odd=odd: read_archive(odd),
            lambda odd=odd: fingerprint(str(odd)),
        ):
            assert "not a regular file" in refusal(call)


def test_a_missing_cifar_file_is_named(cifar):
    (cifar / "data_batch_4").unlink()
    assert "data_batch_4: No such file" in refusal(lambda: load_cifar("cifar10", cifar))
    with pytest.raises(ValueError, match=r"cifar10, cifar100; got 'cifar'"):
        load_cifar("cifar", cifar)

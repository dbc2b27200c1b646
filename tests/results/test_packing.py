"""Texts are packed with words that are frozen, and read back to the byte."""

import hashlib
import json
import random
import zlib

import pytest

from motsim.plans.loading import load_sweep
from motsim.results.packing import WORDS, PackingError, pack, unpack

#: Of words.txt: with other words nothing that is stored could be read.
FROZEN = "a5251fe7be160a6460934083bbdf7876"


def test_words_are_frozen():
    content = WORDS.read_bytes()
    assert hashlib.blake2b(content, digest_size=16).hexdigest() == FROZEN
    other = zlib.compressobj(zdict=content[1:])  # control: zlib tells other words from these
    packed = other.compress(b"seed") + other.flush()
    with pytest.raises(PackingError, match="setting zdict"):
        unpack(packed, 100)


@pytest.mark.parametrize("size", [2, 100, 100_000])
def test_what_is_packed_comes_back(size):
    text = random.Random(size).randbytes(size)
    assert unpack(pack(text), size) == text
    assert unpack(zlib.compress(text), size) == text  # as it was packed before, without words
    with pytest.raises(PackingError, match="more than"):
        unpack(pack(text), size - 1)
    with pytest.raises(PackingError, match="cut off"):
        unpack(pack(text)[:-1], size)
    with pytest.raises(PackingError, match="cut off"):
        unpack(pack(text) * 2, size)


@pytest.mark.parametrize("name", ["rates", "realdata", "rehearsal-theory", "rehearsal-deep"])
def test_settings_take_a_fifth_of_what_they_took(name):
    cell = load_sweep(name).cells()[-1]
    text = json.dumps(cell.settings.model_dump(mode="json")).encode()
    assert len(pack(text)) < len(text) / 5
    assert len(zlib.compress(text)) > len(text) / 5 * 2  # control: without words

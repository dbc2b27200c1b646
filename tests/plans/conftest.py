"""Sweep files written for a test."""

import pytest

from motsim.plans.loading import load_sweep


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="mine.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_sweep(str(path))

    return to_file

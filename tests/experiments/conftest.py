"""A folder of a user's."""

import pytest

from motsim.experiments.beside import forget
from tests.experiments.papers import KIND, SWEEP


@pytest.fixture
def paper(tmp_path):
    """A folder with a sweep, its kind, and a sibling that the kind imports."""
    folder = tmp_path / "paper"
    folder.mkdir()
    (folder / "quad.py").write_text(KIND)
    (folder / "helper.py").write_text("FACTOR = 10.0\n")
    (folder / "quad.toml").write_text(SWEEP)
    yield folder
    forget()

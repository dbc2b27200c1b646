"""The sources of a kind of one's own, which are part of the key of its runs."""

import pandas as pd
import pytest

from motsim.experiments.beside import forget
from motsim.experiments.own import own_sources
from motsim.sweep import main
from tests.experiments.papers import KIND, PACKAGE, call, keys, stored, write


@pytest.mark.parametrize("file", ["quad.py", "helper.py"])
def test_changed_code_does_not_reuse_old_runs(paper, file):
    assert call(paper) == [10.0, 11.0, 20.0, 21.0]
    assert call(paper) == [10.0, 11.0, 20.0, 21.0]
    assert stored(paper) == 4  # control: the same code, the same runs
    path = paper / file
    text = path.read_text().replace("FACTOR = 10.0", "FACTOR = 30.0")
    text = text.replace("FACTOR * settings.level", "FACTOR / settings.level")
    assert len(text) == len(path.read_text())  # bytecode of the same second and length
    path.write_text(text)
    expected = [30.0, 31.0, 60.0, 61.0] if file == "helper.py" else [10.0, 11.0, 5.0, 6.0]
    assert call(paper) == expected
    assert stored(paper) == 8


def test_what_the_kind_does_not_import_is_no_part_of_the_key(paper):
    before = keys(paper)
    (paper / "unrelated.py").write_text("FACTOR = 1.0\n")
    forget()
    assert keys(paper) == before
    (paper / "quad.py").write_text(KIND + "\n# a word\n")  # control
    assert keys(paper) != before


def test_declared_files_are_part_of_the_key(paper):
    (paper / "data").mkdir()
    (paper / "data" / "points.csv").write_text("1\n")
    (paper / "quad.py").write_text(KIND + "SOURCES = ['data/*.csv']\n")
    before = keys(paper)
    (paper / "data" / "notes.txt").write_text("no number comes from it")
    assert keys(paper) == before
    (paper / "data" / "points.csv").write_text("2\n")
    assert keys(paper) != before


def test_a_module_that_no_import_statement_names_is_refused(paper):
    lazy = KIND.replace("from helper import FACTOR", "from importlib import import_module")
    lazy = lazy.replace("FACTOR *", "import_module('helper').FACTOR *")
    (paper / "quad.py").write_text(lazy)
    out = paper.parent / "out"
    assert main([str(paper / "quad.toml"), "--out", str(out), "--progress", "quiet"]) == 1
    (error,) = set(pd.read_csv(out / "quad.csv")["error"])
    assert "imported helper by other means" in error
    (paper / "quad.py").write_text(lazy + "SOURCES = ['helper.py']\n")  # control
    assert call(paper) == [10.0, 11.0, 20.0, 21.0]


def test_code_of_motsim_that_it_uses_is_part_of_it(paper):
    named = set(own_sources("quad", str(paper)))
    assert named == {"quad", "helper"}
    (paper / "helper.py").write_text("from motsim import train\nFACTOR = 1.0\n")
    named = set(own_sources("quad", str(paper)))
    assert {"motsim.mixture.training", "motsim.vectors.lanes"} <= named
    (paper / "helper.py").write_text("import motsim\nFACTOR = 1.0\n")  # any name may be meant
    assert "motsim.mixture.training" in own_sources("quad", str(paper))


def test_relative_imports_and_parents_are_followed(tmp_path):
    write(tmp_path, PACKAGE)
    named = set(own_sources("mypkg.quad", str(tmp_path)))
    assert named == {
        "mypkg", "mypkg.quad", "mypkg.sub", "mypkg.sub.deep", "mypkg.top", "mypkg.star",
        "mypkg.late",
    }  # fmt: skip


def test_siblings_of_a_module_that_is_importable_count_unless_it_is_installed(
    tmp_path, monkeypatch
):
    for name in ("src", "site-packages"):
        write(
            tmp_path / name, {f"lone_{name[:3]}.py": "import lone_helper\n", "lone_helper.py": ""}
        )
        monkeypatch.syspath_prepend(str(tmp_path / name))
    assert set(own_sources("lone_src")) == {"lone_src", "lone_helper"}
    assert set(own_sources("lone_sit")) == {"lone_sit"}

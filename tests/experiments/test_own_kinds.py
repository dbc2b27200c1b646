"""A kind of run in a module of one's own: beside the TOML, in a package, plugged in."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

import motsim
from motsim.experiments import load_kind
from motsim.experiments.beside import forget
from motsim.experiments.own import own_sources
from motsim.plans.loading import load_sweep
from motsim.sweep import main
from tests.refusals import refusal
from tests.running.cluster import Cluster

KIND = """
from motsim import KindSettings, Result
from helper import FACTOR


class Settings(KindSettings):
    seed: int = 0
    level: float = 1.0


def run(settings):
    return Result("done", {"value": FACTOR * settings.level + settings.seed})
"""
SWEEP = """
title = "Quad"
kind = "quad:run"
seeds = 2

[grid]
level = [1.0, 2.0]
"""


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


def call(paper, *words, code=0):
    out = paper.parent / "out"
    words = [str(paper / "quad.toml"), "--out", str(out), "--progress", "quiet", *words]
    assert main([*words, "--no-figure"]) == code
    return pd.read_csv(out / "quad.csv")["value"].tolist()


def stored(paper):
    import sqlite3

    db = sqlite3.connect(paper.parent / "out" / "results.db")
    (number,) = db.execute("SELECT count(*) FROM runs").fetchone()
    db.close()
    return number


def keys(paper):
    return [cell.key for cell in load_sweep(str(paper / "quad.toml")).cells()]


# --- it runs, here and in workers -----------------------------------------------------------------


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_module_beside_the_file_runs_in_this_process_and_in_workers(paper, jobs):
    assert call(paper, "--jobs", jobs) == [10.0, 11.0, 20.0, 21.0]
    assert not any(place == str(paper) for place in sys.path)


def test_a_cluster_imports_it_by_name(paper, tmp_path):
    pytest.importorskip("distributed")
    with Cluster(tmp_path / "cluster", workers=1) as cluster:
        words = ("--backend", "dask", "--scheduler", cluster.address)
        assert call(paper, *words) == [10.0, 11.0, 20.0, 21.0]
        (paper / "helper.py").write_text("FACTOR = 20.0\n")  # the worker lives on
        assert call(paper, *words) == [20.0, 21.0, 40.0, 41.0]


def test_a_worker_that_has_not_the_folder_says_so(paper):
    from motsim.running.backends import BackendError
    from motsim.running.worker import execute_away

    (cell, *_) = load_sweep(str(paper / "quad.toml")).cells()
    assert execute_away([cell])[0].status == "done"  # control
    paper.rename(paper.with_name("gone"))
    with pytest.raises(BackendError, match="a worker cannot load the kind of run"):
        execute_away([cell])


def test_sources_that_change_while_a_sweep_runs_stop_it(paper, tmp_path):
    from motsim.running.backends import BackendError
    from motsim.running.worker import execute

    (cell, other, *_) = load_sweep(str(paper / "quad.toml")).cells()
    assert execute([cell], str(tmp_path / "out"))[0].status == "done"  # control
    (paper / "helper.py").write_text("FACTOR = 20.0\n")
    with pytest.raises(BackendError, match="have changed since this sweep began"):
        execute([other], str(tmp_path / "out"))


def test_the_command_alone_finds_it_from_any_folder(paper, tmp_path):
    """And loads nothing that a run without kernels and losses does not need."""
    words = ["-m", "motsim.sweep", str(paper / "quad.toml"), "--jobs", "1", "--no-figure"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(motsim.__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 runs, 0 finished before" in done.stderr
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {"numba", "scipy.optimize", "matplotlib"} & loaded
    assert {"pandas", "motsim.commands.setting_lines"} <= loaded  # control


# --- the key --------------------------------------------------------------------------------------


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


PACKAGE = {
    "mypkg/__init__.py": "",
    "mypkg/sub/__init__.py": "from . import deep\n",
    "mypkg/sub/deep.py": "from ..top import A; import mypkg.late as b\n",
    "mypkg/top.py": "from .star import *\nA = 1.0\n",
    "mypkg/star.py": "B = 1.0\n",
    "mypkg/late.py": "C = 1.0\n",
    "mypkg/unused.py": "D = 1.0\n",
    "mypkg/quad.py": KIND.replace("from helper import FACTOR", "from mypkg.sub import deep")
    .replace("FACTOR *", "deep.A *"),
}  # fmt: skip


def test_relative_imports_and_parents_are_followed(tmp_path):
    write(tmp_path, PACKAGE)
    named = set(own_sources("mypkg.quad", str(tmp_path)))
    assert named == {
        "mypkg", "mypkg.quad", "mypkg.sub", "mypkg.sub.deep", "mypkg.top", "mypkg.star",
        "mypkg.late",
    }  # fmt: skip


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))


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


ENTRY = """
[motsim.kinds]
quad-kind = mypkg.quad:run
"""


@pytest.mark.parametrize("kind", ["mypkg.quad", "quad-kind"])
def test_an_installed_package_runs_by_module_or_by_entry_point(tmp_path, kind):
    site = tmp_path / "site"
    write(site, {**PACKAGE, "mypkg-1.0.dist-info/entry_points.txt": ENTRY})
    write(site, {"mypkg-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mypkg\n"})
    sweep = SWEEP.replace("quad:run", kind)
    write(tmp_path / "paper", {"quad.toml": sweep})
    path = os.pathsep.join([str(site), str(Path(motsim.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-m", "motsim.sweep", "paper/quad.toml", "--jobs", "2", "--no-figure"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "results" / "quad.csv")["value"].tolist() == [1.0, 2.0, 2.0, 3.0]


# --- settings, defaults, results ------------------------------------------------------------------


def test_two_functions_of_one_module_have_settings_of_their_own(paper):
    more = """
class Steep(KindSettings):
    seed: int = 0
    slope: float = 2.0


def steep(settings: Steep):
    return Result("done", {"value": settings.slope})


def cost(settings):
    return 0.25
"""
    (paper / "quad.py").write_text(KIND + more)
    assert list(load_kind("quad", str(paper)).Settings.model_fields) == ["seed", "level"]
    kind = load_kind("quad:steep", str(paper))
    assert list(kind.Settings.model_fields) == ["seed", "slope"]
    assert kind.cost(kind.Settings()) == 0.25


def test_what_may_be_left_out_has_a_default(paper):
    kind = load_kind("quad", str(paper))
    assert kind.name == "quad:run"  # the same runs, however it is called
    assert (kind.cost(kind.Settings()), kind.measures, kind.compiles) == (1.0, (), False)
    kind.compile_kernels()


def test_two_folders_with_modules_of_one_name_do_not_mix(paper, tmp_path):
    other = tmp_path / "other"
    write(other, {"quad.py": KIND, "helper.py": "FACTOR = 50.0\n", "quad.toml": SWEEP})
    assert call(paper) == [10.0, 11.0, 20.0, 21.0]
    kinds = [load_kind("quad", str(folder)) for folder in (other, paper, other)]
    values = [kind.run(kind.Settings(seed=0)).metrics["value"] for kind in kinds]
    assert values == [50.0, 10.0, 50.0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 1.0", "run must return a motsim.Result; got float"),
        ("return Result('ended', {})", "status must be one of reached, max_steps"),
        ("return Result('done', {'a': [1]})", "a must be a number or a string; got list"),
        ("return Result('done', {}, {'t': {'a': [1], 'b': []}})", "differ in length"),
    ],
)
def test_a_result_that_no_table_can_hold_fails_alone(paper, body, words):
    text = re.sub(r"return Result.*", body, KIND)
    (paper / "quad.py").write_text(text)
    out = paper.parent / "out"
    assert main([str(paper / "quad.toml"), "--out", str(out), "--progress", "quiet"]) == 1
    assert words in pd.read_csv(out / "quad.csv")["error"][0]


def test_numpy_values_become_plain(paper):
    text = KIND.replace("FACTOR * settings.level + settings.seed", "np.int64(3)")
    (paper / "quad.py").write_text("import numpy as np\n" + text)
    assert call(paper) == [3, 3, 3, 3]


# --- refusals -------------------------------------------------------------------------------------

BAD = {
    "no module": ('kind = "quat:run"', KIND, ["no module 'quat'", "did you mean 'quad'?"]),
    "no function": ('kind = "quad:rnu"', KIND, ["no function 'rnu'", "did you mean 'run'?"]),
    "no settings": (
        'kind = "quad"', "def run(settings):\n    pass\n", ["has no Settings: a pydantic model"],
    ),
    "no pydantic": (
        'kind = "quad"', "class Settings:\n    seed = 0\ndef run(settings):\n    pass\n",
        ["Settings must be a pydantic model; got class Settings"],
    ),
    "no seed": (
        'kind = "quad"', KIND.replace("    seed: int = 0\n", ""), ["needs a field seed: int"],
    ),
    "arguments": (
        'kind = "quad"', KIND.replace("run(settings)", "run(settings, seed)"),
        ["must take the settings and nothing else"],
    ),
    "syntax": ('kind = "quad"', "def run(:\n", ["SyntaxError"]),
    "raises": ('kind = "quad"', "1 / 0\n", ["cannot be imported: ZeroDivisionError"]),
    "exits": ('kind = "quad"', "raise SystemExit(3)\n", ["cannot be imported: SystemExit: 3"]),
    "not installed": ('kind = "quad"', "import nowhere_at_all\n", ["needs 'nowhere_at_all'"]),
    "no name": ('kind = "quad:a b"', KIND, ["kind must be module or module:function"]),
    "path": ('kind = "./quad.py"', KIND, ["kind must be module or module:function"]),
    "neither": ('kind = "quard"', KIND, ["kind must be one of", "module:function"]),
    "sources": ('kind = "quad"', KIND + "SOURCES = ['a.csv']\n", ["SOURCES: no file 'a.csv'"]),
    "string": ('kind = "quad"', KIND + "SOURCES = 'a.csv'\n", ["must be a list of strings"]),
    "cost": ('kind = "quad"', KIND + "cost = 1.0\n", ["cost must be a function"]),
    "key": ('kind = "quad"\n[fixed]\nlevle = 1.0', KIND, ["unknown key 'levle'", "'level'"]),
    "value": ('kind = "quad"\n[fixed]\nlevel = "a"', KIND, ["level = 'a'", "number"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_kind_is_refused_in_one_line(paper, name, capsys):
    line, text, words = BAD[name]
    (paper / "quad.py").write_text(text)
    (paper / "quad.toml").write_text(f'title = "Q"\n{line}\n')
    told = refusal(main, [str(paper / "quad.toml"), "--out", str(paper.parent / "o")], capsys)
    for word in words:
        assert word in told
    assert "quad.toml" in told
    assert not (paper.parent / "o").exists()


def test_a_file_that_an_installed_module_hides_is_refused(paper, capsys):
    (paper / "colorsys.py").write_text("FACTOR = 1.0\n")
    (paper / "quad.py").write_text(KIND.replace("from helper", "from colorsys"))
    told = refusal(main, [str(paper / "quad.toml"), "--out", str(paper.parent / "o")], capsys)
    assert "'colorsys'" in told
    assert "rename yours" in told


# --- claims and figures of other packages ---------------------------------------------------------

CLAIM = """
from motsim.claims import Claim, Finding, Verdict

CLAIM = Claim("Values are large.", "a test", "measured", "value above 5", "lower")


def judge(tables):
    least = tables.main["value"].min()
    verdict = Verdict.of(holds=least > 5, fails=least <= 5)
    return [
        Finding("all", "above 5", f"{least}", verdict, "the least value", expected=Verdict.HOLDS)
    ]
"""
FIGURE = """
def draw(tables):
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots()
    axes.plot(tables.main["value"])
    return {"large-values": figure}
"""
POINTS = """
[motsim.claims]
large-values = mypkg.large
[motsim.figures]
large-values = mypkg.large_figure
"""


@pytest.mark.parametrize(
    ("least", "code", "modules"), [(10.0, 0, ("verify", "sweep")), (1.0, 1, ("verify",))],
    ids=["as it is", "control"],
)  # fmt: skip
def test_a_package_brings_its_claim_sweep_and_figure(tmp_path, least, code, modules):
    site = tmp_path / "site"
    kind = KIND.replace("from helper import FACTOR", f"FACTOR = {least}")
    write(site, {
        "mypkg/__init__.py": "", "mypkg/quad.py": kind, "mypkg/large.py": CLAIM,
        "mypkg/large_figure.py": FIGURE,
        "mypkg/large-values.toml": SWEEP.replace("quad:run", "mypkg.quad:run"),
        "mypkg-1.0.dist-info/entry_points.txt": POINTS,
        "mypkg-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mypkg\n",
    })  # fmt: skip
    path = os.pathsep.join([str(site), str(Path(motsim.__file__).parents[1])])
    for module in modules:
        done = subprocess.run(
            [sys.executable, "-m", f"motsim.{module}", "large-values", "--jobs", "1"],
            cwd=tmp_path, capture_output=True, text=True, timeout=120,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert ("holds" if code == 0 else "fails") in done.stdout
    picture = tmp_path / "results" / "figures" / "large-values.svg"
    assert picture.is_file() == ("sweep" in modules)


def test_measures_name_what_is_printed(paper, capsys):
    (paper / "quad.py").write_text(KIND + "MEASURES = ['value']\n")
    call(paper)
    assert "median value 10.5" in capsys.readouterr().out
    (paper / "quad.py").write_text(KIND)  # control: its name does not tell
    call(paper)
    assert "median value" not in capsys.readouterr().out


def test_code_that_only_a_results_folder_names_is_not_run(paper, tmp_path, capsys):
    """Tables of strangers can be looked at; a file that the user names is run."""
    from motsim.__main__ import main as motsim_main

    (paper / "quad.toml").write_text(SWEEP + "[claim]\nshare = { of = 'value > 5', above = 0.1 }\n")
    out = str(tmp_path / "out")
    words = ["--out", out, "--progress", "quiet", "--seeds", "3", "--no-figure"]
    assert main([str(paper / "quad.toml"), *words]) == 0
    forget()
    (paper / "quad.py").write_text("from pathlib import Path\nPath(__file__ + '.ran').touch()\n")
    ran = paper / "quad.py.ran"
    for call in (["report", "--out", out], ["sweep", "--status", "--out", out],
                 ["compare", out, out], ["table", "quad", "--out", out]):  # fmt: skip
        motsim_main(call)
        assert not ran.exists(), call
    assert "holds" in capsys.readouterr().out
    assert motsim_main(["sweep", str(paper / "quad.toml"), "--dry-run"]) == 2  # control
    assert ran.exists()

"""A kind of run in a module of one's own: it runs, here and in workers; what is none is refused."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import motsim
from motsim.experiments import load_kind
from motsim.experiments.beside import forget
from motsim.plans.loading import load_sweep
from motsim.sweep import main
from tests.experiments.papers import KIND, SWEEP, call, write
from tests.refusals import refusal
from tests.running.cluster import Cluster

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
    for command in (["report", "--out", out], ["sweep", "--status", "--out", out],
                 ["compare", out, out], ["table", "quad", "--out", out]):  # fmt: skip
        motsim_main(command)
        assert not ran.exists(), command
    assert "holds" in capsys.readouterr().out
    assert motsim_main(["sweep", str(paper / "quad.toml"), "--dry-run"]) == 2  # control
    assert ran.exists()

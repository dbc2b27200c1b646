"""Installed packages bring kinds of run, claims, sweeps and figures."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import motsim
from tests.experiments.papers import KIND, PACKAGE, SWEEP, write

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

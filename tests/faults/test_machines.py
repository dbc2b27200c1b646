"""Other types of CPU: other bits, the same results to a tolerance, the same verdicts (F22)."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.faults.harness import ROOT, SITE

TOLERANCE = 1e-8
CPU = Path("/proc/cpuinfo")
pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the CPU types of F22 are x86's"
)


#: Verdicts that hold, fail and are open, all of them from fits; the first alone needs few kernels.
SEEDS = list(range(12))
FITTED = {"rates": {"case": ["mot-squared", "mot-logistic", "single-1-squared"], "seed": SEEDS}}
FEW = {"rates": {"case": ["mot-squared"], "seed": SEEDS}}
#: Runs whose numbers come through BLAS.
THROUGH_BLAS = {"rehearsal-theory": {"case": ["concurrent", "random"], "num_tasks": [2, 3, 4]}}
ALL = {"rates": {}, "rehearsal-theory": {}, "rehearsal-memory": {}}


def answer(program, *words, **env):
    call = [sys.executable, str(SITE / program), *map(str, words)]
    own = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", **env}
    done = subprocess.run(call, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def probe(**env):
    return answer("probe.py", **env)


def judged(folder, claims, *disturbance, **env):
    return answer("verdicts.py", folder, json.dumps(claims), *disturbance, **env)


def skip_without_it(core):
    if core == "SkylakeX" and not (CPU.exists() and "avx512f" in CPU.read_text()):
        pytest.skip("this CPU has no AVX-512: SkylakeX is not tested")


@pytest.fixture(scope="module")
def here():
    return probe()


@pytest.fixture(scope="module")
def judged_here(tmp_path_factory):
    return judged(tmp_path_factory.mktemp("here"), FITTED | THROUGH_BLAS)


def far_apart(one, other, path=""):
    """Largest relative difference of two results; steps may differ by one."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        return max((far_apart(one[k], other[k], f"{path}.{k}") for k in one), default=0.0)
    if isinstance(one, list):
        assert len(one) == len(other), path
        return max((far_apart(a, b, path) for a, b in zip(one, other, strict=True)), default=0.0)
    if isinstance(one, (int, str, bool)) or one is None:
        steps = isinstance(one, int) and path.endswith(("step", "num_steps", "stage_length"))
        assert one == other or (steps and abs(one - other) <= 1), (path, one, other)
        return 0.0
    if np.isnan(one) and np.isnan(other):
        return 0.0
    return abs(one - other) / max(abs(one), abs(other), 1e-12)


@pytest.mark.parametrize("core", ["Haswell", "SkylakeX"])
def test_f22_blas_of_another_cpu(here, core, record):
    skip_without_it(core)
    there = probe(OPENBLAS_CORETYPE=core)
    apart = far_apart(here["runs"], there["runs"])
    assert apart <= TOLERANCE
    record(
        "F22",
        f"OPENBLAS_CORETYPE={core}: results within {apart:.1e} (limit {TOLERANCE:g}); bits of a"
        f" product of 600 x 600 {'equal' if here['bits'] == there['bits'] else 'differ'}",
    )


def test_f22_control_the_variable_changes_bits(here):
    """If no CPU type gave other bits, the comparison would be of a thing with itself."""
    cores = ("Haswell", "Nehalem", "Sandybridge")
    assert {probe(OPENBLAS_CORETYPE=core)["bits"] for core in cores} != {here["bits"]}


def test_f22_control_the_comparison_sees_a_difference(here):
    other = json.loads(json.dumps(here["runs"]))
    other[0]["metrics"]["final_loss"] *= 1 + 3e-8
    assert far_apart(here["runs"], other) > TOLERANCE
    other[0]["metrics"]["num_steps"] += 2
    with pytest.raises(AssertionError):
        far_apart(here["runs"], other)


def same_verdicts(here, there, claims):
    """Assert it of every row and verdict; return the largest difference and how many verdicts."""
    here, there = ({name: found["claims"][name] for name in claims} for found in (here, there))
    apart = far_apart(here, there)
    assert apart <= TOLERANCE
    return apart, sum(len(found["verdicts"]) for found in here.values())


@pytest.mark.parametrize("core", ["Haswell", "SkylakeX"])
def test_f22_verdicts_with_the_blas_of_another_cpu(judged_here, tmp_path, core, record):
    skip_without_it(core)
    there = judged(tmp_path, THROUGH_BLAS, OPENBLAS_CORETYPE=core)
    assert "holds" in there["claims"]["rehearsal-theory"]["verdicts"].values()
    apart, count = same_verdicts(judged_here, there, THROUGH_BLAS)
    record("F22", f"OPENBLAS_CORETYPE={core}: {count} verdicts equal, rows within {apart:.1e}")


def test_f22_verdicts_with_kernels_for_a_generic_cpu(tmp_path, record):
    env = {"NUMBA_CPU_NAME": "generic", "MOTSIM_CACHE_DIR": str(tmp_path)}
    there = judged(tmp_path / "generic", FEW, **env)
    here = judged(tmp_path / "here", FEW)
    assert not there["wide"]
    if CPU.exists() and " avx" in CPU.read_text():
        assert here["wide"]  # control: the variable does change what is compiled
    assert there["claims"]["rates"]["verdicts"]["mot-squared"] == "holds"
    apart, count = same_verdicts(here, there, FEW)
    record("F22", f"NUMBA_CPU_NAME=generic: {count} verdicts equal, rows within {apart:.1e}")


def test_f22_control_other_runs_and_other_verdicts_are_seen(judged_here, tmp_path, record):
    verdicts = set(judged_here["claims"]["rates"]["verdicts"].values())
    assert verdicts == {"holds", "fails", "inconclusive"}
    moved = judged(tmp_path / "start", FITTED, "start")
    with pytest.raises(AssertionError):
        same_verdicts(judged_here, moved, FITTED)
    short = judged(tmp_path / "short", FITTED, "short")
    verdicts = [found["claims"]["rates"]["verdicts"] for found in (judged_here, short)]
    changed = sum(verdicts[0][case] != verdicts[1][case] for case in verdicts[0])
    assert changed
    record("F22", f"control, stages of 100 steps: {changed} of {len(verdicts[0])} verdicts change")


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_f22_all_verdicts_on_every_cpu(tmp_path, record):
    here = judged(tmp_path / "here", ALL)
    machines = {"NUMBA_CPU_NAME": "generic"}, {"OPENBLAS_CORETYPE": "Haswell"}
    for number, env in enumerate(machines):
        cache = {"MOTSIM_CACHE_DIR": str(tmp_path / "cache")} if "NUMBA_CPU_NAME" in env else {}
        there = judged(tmp_path / str(number), ALL, **env, **cache)
        apart, count = same_verdicts(here, there, ALL)
        text = " ".join(f"{name}={value}" for name, value in env.items())
        record("F22", f"{text}, whole quick tiers: {count} verdicts equal, rows within {apart:.1e}")

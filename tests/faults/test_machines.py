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


def probe(**env):
    call = [sys.executable, str(SITE / "probe.py")]
    own = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", **env}
    done = subprocess.run(call, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def here():
    return probe()


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
    if core == "SkylakeX" and not (CPU.exists() and "avx512f" in CPU.read_text()):
        pytest.skip("this CPU has no AVX-512: SkylakeX is not tested")
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


@pytest.mark.slow
def test_f22_kernels_for_a_generic_cpu(here, tmp_path, record):
    env = {"NUMBA_CPU_NAME": "generic", "MOTSIM_CACHE_DIR": str(tmp_path)}
    there = probe(**env)
    apart = far_apart(here["runs"], there["runs"])
    assert apart <= TOLERANCE
    call = [sys.executable, "-m", "motsim.verify", "rates", "--json"]
    verdicts = []
    for number, own in enumerate(({}, env)):
        done = subprocess.run(
            [*call, "--out", str(tmp_path / f"out{number}")], cwd=ROOT, capture_output=True,
            text=True, env={**os.environ, **own}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        findings = json.loads(done.stdout)["rates"]["findings"]
        verdicts.append({found["case"]: found["verdict"] for found in findings})
    assert verdicts[0] == verdicts[1]
    record(
        "F22",
        f"NUMBA_CPU_NAME=generic: results within {apart:.1e}, {len(verdicts[0])} verdicts equal",
    )

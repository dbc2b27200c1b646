"""Every line of every kernel runs, without compilation, and gives what the compiled one gives."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.interpreted.lines import missed, traced
from tests.interpreted.runs import RUNS

#: Kernel -> lines that no run can reach, and why. None today. Intrinsics are no kernels: they write
#: machine code, and stand in plain Python here; test_lanes.py holds them.
EXCEPTIONS: dict[str, list[int]] = {}
ROOT = Path(__file__).parents[2]


def without_compilation(*arguments):
    """What a process prints in which numba compiles nothing."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=300,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path},
    )  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    done = without_compilation("-m", "tests.interpreted")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_line_of_every_kernel_runs(plain):
    assert plain["missed"] == EXCEPTIONS


@pytest.mark.parametrize("name", RUNS)
def test_plain_python_gives_what_compiled_kernels_give(name, plain):
    """But for rounding: without compilation nothing is fused."""
    want = np.array(plain["results"][name])
    got = np.array([float(value) for value in RUNS[name]()])
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)
    # Negative control: of the numbers that are not 0 a millionth is seen.
    assert not np.allclose(got * (1 + 1e-6), want, rtol=1e-9, atol=1e-11, equal_nan=True)


KERNELS = """
@internal
def halved(x):
    if x > 10.0:
        return x
    return x / 2.0

@numba.njit(inline="always")
def of_nobody(x):
    return halved(x)

def no_kernel(x):
    return x
"""


def test_what_does_not_run_is_found(tmp_path):
    """The control: a branch not taken, and a kernel that nobody calls."""
    path = tmp_path / "kernels.py"
    path.write_text("import numba\ninternal = lambda function: function\n" + KERNELS)
    space: dict = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    with traced([path]) as seen:
        assert space["halved"](3.0) == 1.5
    assert missed([path], seen) == {(path, "halved"): [7], (path, "of_nobody"): [12]}


@pytest.mark.parametrize("reads", ["load(p, 1)", "load(advance(p, -1), 0)", "load_scalar(p, 8)"])
def test_plain_python_sees_addresses_outside_their_array(reads):
    text = "import numpy as np\nfrom tests.interpreted.vectors import *\np = pointer(np.zeros(8))\n"
    done = without_compilation(
        "-c", text + "load(p, 0), load_scalar(p, 7)\nprint('inside')\n" + reads
    )
    assert done.stdout == "inside\n"
    assert "IndexError" in done.stderr

"""Kernels compiled ahead are those that runs need, by their signatures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Prints the kernels with a file of their own that are compiled ahead, then those that runs add;
#: where they are stored, they are loaded, and count as well.
PROCESS = """
import sys
from numba.core.dispatcher import Dispatcher
from motsim.mixture import ahead
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.model import Model, initial_parameters
from motsim.mixture.points import population
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train

names = []
add = Dispatcher.add_overload
def noted(self, found):
    if self.targetoptions.get("no_cpython_wrapper") is None:
        names.append(self.py_func.__name__)
    add(self, found)
Dispatcher.add_overload = noted
tokens, left_out = int(sys.argv[1]), sys.argv[2:]
calls = list(ahead._calls(tokens))
ahead._calls = lambda tokens: [call for call in calls if call[0].py_func.__name__ not in left_out]
if STORED:  # and would not be loaded: it is to be named
    ahead.compile_if_free = lambda kernel, signature: kernel.compile(signature)
ahead.compile_ahead(tokens == 3)
count = len(names)
part = Descent(1e-3)
mixture = Mixture(3, 6, tokens, noise_std=1.0)
points = population(mixture, make_signals(mixture), num_nodes=1)
stages = [Stage("all", 1, part, part, part), Stage("experts", 1, part),
          Stage("routed", 1, part, FROZEN, part),
          Stage("flow", 2, part, part, part, dynamics="flow")]
for kind in ("mot", "single"):
    model = Model(kind, 3)
    train(model, points, stages, initial_parameters(model, 6, init_std=0.1, attention_scale=1.0))
print(*names[:count])
print(*names[count:])
"""
EXPECTED = {
    3: {"take_steps", "pass_fused", "pass_three", "pass_frozen", "refresh_moments"},
    4: {"take_steps", "pass_groups", "refresh_attention"},
}


#: Kernels that earlier tests have stored are loaded; the long form compiles all of them.
FOLDERS = ["stored", pytest.param("new", marks=pytest.mark.slow)]


def kernels(folder, tokens, *left_out):
    place = {} if folder == "stored" else {"MOTSIM_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", f"STORED = {bool(not place)}{PROCESS}", str(tokens), *left_out],
        env={**os.environ, **place, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    ahead, after = done.stdout.split("\n")[:2]
    return set(ahead.split()), set(after.split())


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("tokens", EXPECTED)
def test_runs_compile_nothing_more_than_was_compiled_ahead(tmp_path, tokens, folder):
    ahead, after = kernels(folder if folder == "stored" else tmp_path, tokens)
    assert EXPECTED[tokens] <= ahead
    assert not ahead & (EXPECTED[7 - tokens] - EXPECTED[tokens])  # and not what others need
    assert not after


@pytest.mark.parametrize("folder", FOLDERS)
def test_control_a_kernel_that_is_not_compiled_ahead_is_when_a_run_needs_it(tmp_path, folder):
    ahead, after = kernels(folder if folder == "stored" else tmp_path, 3, "pass_three")
    assert "pass_three" not in ahead
    assert "pass_three" in after

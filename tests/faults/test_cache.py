"""The cache of compiled kernels: stale, shared by many processes, and damaged."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.harness import ROOT, SITE, choices
from tests.faults.site import mini

HASHES = {"int": 117, "float": 22.5}  # 3 x + 1 summed over 0..8, and over the same by eighths


def environment(folder):
    own = {"MOTSIM_CACHE_DIR": str(folder / "cache"), "NUMBA_CACHE_DIR": str(folder / "cache")}
    own["TMPDIR"] = str(folder)
    return {**os.environ, **own, "PYTHONPATH": os.pathsep.join([str(SITE), str(ROOT)])}


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, str(SITE / "mini.py"), str(folder), *words], env=environment(folder),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    output, errors = process.communicate(timeout=300)
    return process.returncode, output.splitlines(), errors


def use(folder, signatures="int,float", *words):
    """Values printed by one process; it must end well."""
    code, lines, errors = finish(start(folder, signatures, *words))
    assert code == 0, errors
    return {line.split()[0]: float(line.split()[-1]) for line in lines}, errors


def compiled(folder):
    return sorted((folder / "cache").rglob("*.nbc"))


# --- F18: stale code ------------------------------------------------------------------------------


def change_callee(folder):
    place = folder / "mini" / "mixture" / "kernels" / "inner.py"
    place.write_text(place.read_text().replace("3 * x", "5 * x"))


@pytest.mark.parametrize("plain", [False, True])
def test_f18_constant_changed_in_a_callee(tmp_path, plain, record):
    mini.make(tmp_path, plain)
    assert use(tmp_path)[0] == HASHES
    change_callee(tmp_path)
    after, _ = use(tmp_path)
    if plain:  # control: numba's own cache gives the old numbers
        assert after == HASHES
        record("F18", "control, numba's own cache: a changed callee gives the old numbers")
    else:
        assert after == {"int": 189.0, "float": 31.5}
        record("F18", "constant changed in a callee of another file: new numbers")


@pytest.mark.slow
def test_f18_real_kernels_recomputed(tmp_path, record):
    """A copy of motsim with another constant in a kernel: new keys, every cell runs again."""
    import shutil

    for part in ("motsim", "figures", "sweeps"):
        shutil.copytree(ROOT / part, tmp_path / part)
    sweep = tmp_path / "tiny.toml"
    sweep.write_text(
        'title = "Tiny"\nseeds = 2\n[fixed]\nnum_classes = 2\ndim = 5\nnum_experts = 3\n'
        "specialize_steps = 60\nalign_steps = 20\nconverge_steps = 200\nepsilon_min = 1e-3\n"
    )
    call = [sys.executable, "-m", "motsim.sweep", str(sweep), "--jobs", "1", "--no-figure"]

    def tables():
        done = subprocess.run(
            [*call, "--out", str(tmp_path / "out")], cwd=tmp_path, capture_output=True, text=True,
            env={**environment(tmp_path), "PYTHONPATH": str(tmp_path)}, check=True,
        )  # fmt: skip
        return (tmp_path / "out" / "tiny.csv").read_text(), done.stderr

    before, _ = tables()
    assert "2 finished before" in tables()[1]
    place = tmp_path / "motsim" / "mixture" / "kernels" / "three.py"
    text = place.read_text()
    changed = text.replace("broadcast(3.0)", "broadcast(3.25)", 1)
    assert changed != text
    place.write_text(changed)
    after, errors = tables()
    assert "0 finished before" in errors
    assert after != before
    record("F18", "real kernels, constant changed in a callee: 2 of 2 runs again, new numbers")


# --- F19: many processes --------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_f19_eight_processes_and_a_cold_cache(tmp_path, rounds, record):
    rng = choices(f"F19 {rounds}")
    for number in range(rounds):
        folder = tmp_path / str(number)
        mini.make(folder)
        orders = [rng.choice(["int,float", "float,int"]) for _ in range(8)]
        ends = [finish(process) for process in [start(folder, order) for order in orders]]
        assert [code for code, *_ in ends] == [0] * 8, ends
        lines = list(itertools.chain(*(found for _, found, _ in ends)))
        assert len(lines) == 16
        assert len(set(lines)) == 2, set(lines)
        assert use(folder)[0] == HASHES
        assert not list((folder / "cache").rglob(".part-*"))
    record(
        "F19",
        f"8 processes, cold cache, 2 signatures, {rounds} rounds: 0 crashes, 1 hash a signature",
    )


@pytest.mark.parametrize("plain", [False, True])
def test_f19_two_signatures_saved_in_the_worst_order(tmp_path, plain, record):
    mini.make(tmp_path, plain)
    both = [start(tmp_path, "int", "first"), start(tmp_path, "float", "second")]
    ends = [finish(process) for process in both]
    assert [code for code, *_ in ends] == [0, 0], ends
    code, lines, errors = finish(start(tmp_path, "int,float"))
    right = code == 0 and [float(line.split()[-1]) for line in lines] == list(HASHES.values())
    assert right != plain, (lines, errors)
    if plain:
        what = "it crashes" if code else "wrong numbers"
        record("F19", f"control, numba's own cache, saved in the worst order: {what}")


# --- F20: damaged files ---------------------------------------------------------------------------

SPOILT = {
    "cut to 0": lambda content: b"",
    "cut to half": lambda content: content[: len(content) // 2],
    "one bit": lambda content: content[:-200] + bytes([content[-200] ^ 4]) + content[-199:],
}


def test_f20_damaged_cache_is_compiled_again(tmp_path, record):
    mini.make(tmp_path)
    assert use(tmp_path) == (HASHES, "")
    for how, spoil in SPOILT.items():
        paths = compiled(tmp_path)
        assert len(paths) == 4
        for path in paths:
            path.write_bytes(spoil(path.read_bytes()))
        values, errors = use(tmp_path)
        assert values == HASHES, how
        assert errors.count("are damaged; they are compiled again") == len(errors.splitlines()) == 1
        assert use(tmp_path) == (HASHES, ""), how  # sound again
        record("F20", f"{len(paths)} cache files {how}: same numbers, 1 warning")


def test_f20_control_numbas_own_cache_fails_for_good(tmp_path):
    mini.make(tmp_path, plain=True)
    assert use(tmp_path)[0] == HASHES
    for path in compiled(tmp_path):
        path.write_bytes(b"")
    for _ in range(2):
        code, _, errors = finish(start(tmp_path, "int,float"))
        assert code != 0
        assert "EOFError" in errors


def test_cache_that_cannot_be_written_only_costs_time(tmp_path):
    mini.make(tmp_path)
    (tmp_path / "cache").write_text("a file")
    values, _ = use(tmp_path)
    assert values == HASHES
    assert Path(tmp_path / "cache").read_text() == "a file"

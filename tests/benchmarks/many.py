"""Memory and time of many finished runs: python tests/benchmarks/many.py [RUNS RUNS].

Stores of 20,000 and 200,000 short runs are filled; then, each in a process of its own, the export,
a resumed sweep (all is finished: plan, look, export, tables, picture) and the report. Exit code 1
if one takes more memory than it may, or if its time grows faster than the number of runs.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_MB = 400
STEEPEST = 1.15  # exponent of time in the number of runs, that of a start taken off
SWEEP = 'title = "Many"\nkind = "probe"\nseeds = {}\n[grid]\nlevel = {}\n'
START = "import motsim.sweep, motsim.running.session, motsim.report.__main__, motsim.figures"
FILL = """
import sys
from pathlib import Path
from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.results.store import Store
cells = load_sweep(sys.argv[1]).cells("quick")
with Store(Path(sys.argv[2])) as store:
    for first in range(0, len(cells), 1000):
        with store.together():
            for n, cell in enumerate(cells[first : first + 1000], first):
                found = Result("done", {"value": n / 7, "trace": n * 1.5, "corner": -n / 3})
                settings = {**cell.values, "seed": cell.labels["seed"]}
                store.commit(cell.key, cell.kind, settings, found, 0.01)
"""
EXPORT = """
import sys
from pathlib import Path
from motsim.plans.loading import load_sweep
from motsim.results.store import Store
from motsim.results.export import export
sweep, folder = load_sweep(sys.argv[1]), Path(sys.argv[2])
with Store(folder) as store:
    export(store, sweep, "quick", sweep.cells("quick"), folder)
"""


def measure(*words):
    """(MB at most, seconds) of a process of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "kinds")])
    environment = os.environ | {"PYTHONPATH": path, "MPLBACKEND": "Agg"}
    begin = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, *map(str, words)], stdout=said, stderr=said, env=environment
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            raise RuntimeError(said.read()[-2000:])
    return used.ru_maxrss / 1024, seconds, used.ru_utime + used.ru_stime


def one_size(folder, runs):
    """Measurements over a store of so many runs, by name."""
    folder.mkdir()
    file, out = folder / "many.toml", folder / "results"
    file.write_text(SWEEP.format(runs // 20, list(range(20))))
    measure("-c", FILL, file, out)
    return {
        "export": measure("-c", EXPORT, file, out),
        "resumed sweep": measure(
            "-m", "motsim.sweep", file, "--out", out, "--progress", "quiet", "--jobs", 2
        ),
        "report": measure("-m", "motsim.report", "--out", out),
    }


def main():
    """Print the table; return the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("runs", nargs="*", type=int, default=[20_000, 200_000])
    options.add_argument("--folder", type=Path)
    arguments = options.parse_args()
    least, most = min(arguments.runs), max(arguments.runs)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        _, _, start = measure("-c", START)
        found = {runs: one_size(Path(name) / str(runs), runs) for runs in (least, most)}
    good = True
    print(f"a start alone: {start:.1f} s of processor time")
    print(f"{'':<16}{'runs':>9}{'MB':>7}{'wall s':>8}{'proc. s':>9}  exponent of proc. time")
    for what in found[most]:
        times = []
        for runs in (least, most):
            memory, wall, processor = found[runs][what]
            times.append(max(processor - start, 0.05))
            print(f"{what:<16}{runs:>9,}{memory:>7.0f}{wall:>8.1f}{processor:>9.1f}", end="")
            good &= memory <= MOST_MB
            if runs == least:
                print()
        exponent = math.log(times[1] / times[0]) / math.log(most / least)
        good &= exponent <= STEEPEST
        print(f"  {exponent:.2f}", flush=True)
    print(f"required: {MOST_MB} MB, {STEEPEST}:", "met" if good else "missed")
    return not good


if __name__ == "__main__":
    sys.exit(main())

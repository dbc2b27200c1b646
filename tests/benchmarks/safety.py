"""What safety costs: python tests/benchmarks/safety.py [RUNS] (F23, F24; 100,000 runs by default).

Everything is measured in one folder (--folder: another disk), beside the time of one fsync there,
which is most of a commit.
"""

import argparse
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

import motsim.experiments  # noqa: E402

FAULTS = ROOT / "tests" / "faults"
motsim.experiments.__path__.append(str(FAULTS / "kinds"))
# loky's workers learn of these kinds by the sitecustomize.py there
os.environ["PYTHONPATH"] = os.pathsep.join([str(FAULTS / "site"), str(ROOT)])

from motsim.experiments import trial  # noqa: E402
from motsim.experiments.result import Result  # noqa: E402
from motsim.plans.loading import load_sweep  # noqa: E402
from motsim.results.export import export  # noqa: E402
from motsim.results.store import Store  # noqa: E402
from motsim.running.runner import run_cells  # noqa: E402

SHORT = Result("done", {"total": 0.1, "first": 0.3}, {})
#: As large as a run of the headline sweep: hitting times and a loss curve of 200 points.
LONG = Result(
    "reached",
    {"num_steps": 3050, "final_loss": 1e-9},
    {
        "hits": {"epsilon": [10 ** -(i / 4) for i in range(4, 41)], "step": list(range(37))},
        "curve": {"step": list(range(200)), "loss": [0.5 / (i + 3) for i in range(200)]},
    },
)


def show(text, value, limit=""):
    """One line of the table."""
    print(f"{text:<64} {value:>14}  {limit}", flush=True)


def key(number):
    """A key as runs have."""
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


def sync_time(folder):
    """Median seconds of writing 16 KiB and flushing them to disk."""
    path, times = folder / "sync", []
    with path.open("wb", buffering=0) as stream:
        for _ in range(100):
            stream.write(b"x" * 16384)
            begin = time.perf_counter()
            os.fsync(stream.fileno())
            times.append(time.perf_counter() - begin)
    path.unlink()
    return statistics.median(times)


def commit_times(folder, count, *, together=False):
    """Median seconds of claim and of commit."""
    claims, commits = [], []
    with Store(folder) as store, store.together() if together else nullcontext():
        for number in range(count):
            begin = time.perf_counter()
            store.lease(key(number))
            middle = time.perf_counter()
            store.commit(key(number), "mixture", {"seed": number}, LONG, 0.1)
            claims.append(middle - begin)
            commits.append(time.perf_counter() - middle)
    return statistics.median(claims), statistics.median(commits)


def overhead(folder):
    """Share of time that is not the runs' own, at 0.1 s a run, one job; start-up left out."""
    seconds = []
    for count in (20, 80):
        file = folder / f"tenth{count}.toml"
        file.write_text(f'title = "x"\nkind = "trial"\nseeds = {count}\n[fixed]\nseconds = 0.1\n')
        cells = load_sweep(str(file)).cells()
        begin = time.perf_counter()
        run_cells(cells, folder / f"tenth{count}", 1)
        seconds.append(time.perf_counter() - begin)
    return (seconds[1] - seconds[0]) / 6.0 - 1


def cores(folder, rounds=5, runs=24):
    """Speed-up of two jobs over one for CPU-bound runs of 0.2 s, and of two bare processes.

    Both of a round stand side by side, and the ratio is the round's; start-up is left out, because
    the workers stay from an earlier sweep. The bare processes say what this machine has to give.
    """
    spin = "for _ in range({}): pass"
    text = 'title = "x"\nkind = "trial"\nseeds = {}\n[fixed]\nloops = {}\n'
    begin = time.perf_counter()
    trial.spin(10**7)
    loops = int(10**7 * 0.2 / (time.perf_counter() - begin))
    ratios, bare = [], []
    for number in range(rounds + 1):
        seconds = {}
        for jobs in (1, 2):
            name = f"cores{number}-{jobs}"
            file = folder / f"{name}.toml"
            file.write_text(text.format(runs, loops))
            cells = load_sweep(str(file)).cells()
            begin = time.perf_counter()
            run_cells(cells, folder / name, jobs, expect_done)
            seconds[jobs] = time.perf_counter() - begin
        alone, pair = (processes(spin.format(10 * loops), count) for count in (1, 2))
        if number:  # the first round starts the workers
            ratios.append(seconds[1] / seconds[2])
            bare.append(2 * alone / pair)
    return ratios, bare


def expect_done(cell, status, seconds):
    """A run that failed would be a fast one."""
    assert status == "done", (cell, status)


def processes(program, count):
    """Seconds until so many Python processes with a program have all ended."""
    begin = time.perf_counter()
    started = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(count)]
    for process in started:
        process.wait()
    return time.perf_counter() - begin


def many(folder, count):
    """Fill a store with short runs, in a process of its own; then scan and export it in another."""
    file = folder / "many.toml"
    file.write_text(f'title = "x"\nkind = "trial"\nseeds = {count}\n')
    for step in ("fill", "scan", "export"):
        call = [sys.executable, __file__, "--step", step, "--folder", str(folder), str(count)]
        subprocess.run(call, check=True)


def one_step(step, folder, count):
    """One measurement of `many`."""
    out = folder / "many"
    limit = "<= 1 s" if count <= 10_000 else "<= 10 s"
    begin = time.perf_counter()
    if step == "scan":
        with Store(out) as store:
            assert len(store.settled()) == count
        show(f"resume scan of {count:,} runs", f"{time.perf_counter() - begin:.2f} s", limit)
        return
    sweep = load_sweep(str(folder / "many.toml"))
    cells = sweep.cells()
    planned = peak()
    begin = time.perf_counter()
    with Store(out) as store:
        if step == "fill":
            for first in range(0, count, 100):
                with store.together():
                    for cell in cells[first : first + 100]:
                        settings = cell.settings.model_dump()
                        store.commit(cell.key, cell.kind, settings, SHORT, 0.0)
            rate = count / (time.perf_counter() - begin)
            text = f"{count:,} short runs committed, one flush for 100"
            show(text, f"{rate:,.0f} runs/s", ">= 500")
        else:
            export(store, sweep, "quick", cells, folder)
            show(f"export of {count:,} runs", f"{time.perf_counter() - begin:.1f} s")
    show(
        f"  memory after {step} (after planning: {planned:.0f} MB)", f"{peak():.0f} MB", "< 500 MB"
    )


def peak():
    """Most memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("runs", nargs="?", type=int, default=100_000)
    options.add_argument("--folder", type=Path)
    options.add_argument("--step", help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if arguments.step:
        one_step(arguments.step, arguments.folder, arguments.runs)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        show("fsync of 16 KiB on this disk, median", f"{1e3 * sync_time(folder):.2f} ms")
        claim, commit = commit_times(folder / "a", 500)
        show("claim, median", f"{1e3 * claim:.2f} ms")
        show("commit of a run of the headline sweep, median", f"{1e3 * commit:.2f} ms", "<= 2 ms")
        _, commit = commit_times(folder / "b", 500, together=True)
        show("the same, many together", f"{1e3 * commit:.2f} ms")
        shares = []
        for number in range(5):
            place = folder / f"round{number}"
            place.mkdir()
            shares.append(overhead(place))
        text = "sweep overhead at 0.1 s a run, one job, median of 5"
        show(text, f"{statistics.median(shares):.1%}", "<= 5 %")
        print("  rounds:", *(f"{share:.1%}" for share in shares))
        ratios, bare = cores(folder)
        text = "two jobs over one, CPU-bound runs of 0.2 s, median of 5"
        show(text, f"{statistics.median(ratios):.2f}", ">= 1.6")
        print("  rounds:", *(f"{ratio:.2f}" for ratio in ratios))
        show("  two bare processes over one", f"{statistics.median(bare):.2f}")
        show("fsync again", f"{1e3 * sync_time(folder):.2f} ms")
        for count in sorted({10_000, arguments.runs}):
            with tempfile.TemporaryDirectory(dir=folder) as place:
                many(Path(place), count)


if __name__ == "__main__":
    main()

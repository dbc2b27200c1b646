"""Many short runs: how many a second are committed, and how much memory the command needs.

    python tests/benchmarks/throughput.py [RUNS] [--jobs N] [--dask]

Prints one line for the runs, one for the resume scan, one for the export.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from tests.running.cluster import Cluster  # noqa: E402

SWEEP = "title = 'Many short runs'\nkind = 'probe'\nseeds = 1000\n[grid]\nlevel = {levels}\n"


def measure(words, environment):
    """Seconds, those of the processors, and peak memory in MB of the command's own process."""
    begin, before = time.perf_counter(), os.times()
    process = subprocess.Popen(
        [sys.executable, "-m", "motsim.sweep", *map(str, words)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    peak = [0]

    def watch():
        while process.poll() is None:
            try:
                peak[0] = max(peak[0], psutil.Process(process.pid).memory_info().rss)
            except psutil.Error:
                return
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(errors)
    after = os.times()
    busy = after.children_user + after.children_system
    busy -= before.children_user + before.children_system
    return time.perf_counter() - begin, busy, peak[0] / 1e6


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("runs", type=int, nargs="?", default=100_000)
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options.add_argument("--dask", action="store_true", help="on a cluster of N workers")
    arguments = options.parse_args()
    path = os.pathsep.join([str(HERE.parent / "kinds"), os.environ.get("PYTHONPATH", "")])
    os.environ["PYTHONPATH"] = path
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        sweep = folder / "many.toml"
        sweep.write_text(SWEEP.format(levels=list(range(max(arguments.runs // 1000, 1)))))
        words = [sweep, "--out", folder / "out"]
        if arguments.dask:
            cluster = stack.enter_context(Cluster(folder / "cluster", workers=arguments.jobs))
            words += ["--backend", "dask", "--scheduler", cluster.address]
        else:
            words += ["--jobs", arguments.jobs]
        for what, more in (
            ("computed and committed", ["--shard", "1/1"]),
            ("scanned, nothing left", ["--shard", "1/1"]),
            ("exported", ["--no-figure"]),
            ("status", ["--status"]),
        ):
            seconds, busy, memory = measure([*words, *more], environment)
            print(
                f"{arguments.runs:,} runs {what}: {seconds:.1f} s, {arguments.runs / seconds:,.0f}"
                f" runs/s, {1000 * busy / arguments.runs:.2f} ms of a processor each, peak memory"
                f" {memory:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""The whole benchmark suite and its table of requirements; run from the repository's root.

    python tests/benchmarks/suite.py [--quick] [--only PART ...]

Every part runs in a fresh process, one after the other, on one core; its tables come first, then
one table of what is required and what was reached. Exit code 1 if anything is missed or a part
fails. Progress goes to stderr.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import HAS_TORCH, NO_TORCH, ROOT, describe, say
from part import Requirement, table

PARTS = ("engine", "larger", "scaling", "routed", "anew", "footprint", "grid")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="few steps, one round: does it run")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some parts")
    arguments = parser.parse_args()
    print(describe(), flush=True)
    requirements, failed = [], []
    # One thread for every library that reads it when loaded.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    begin = time.time()
    with tempfile.TemporaryDirectory() as folder:
        for part in arguments.only:
            say(f"{part}: {time.time() - begin:.0f} s so far")
            print(f"\n== {part}\n", flush=True)
            record = Path(folder) / f"{part}.json"
            command = [sys.executable, str(Path(__file__).parent / f"{part}.py")]
            command += ["--record", str(record)] + ["--quick"] * arguments.quick
            done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
            if record.exists():
                requirements += [Requirement(**row) for row in json.loads(record.read_text())]
            else:
                failed.append(f"{part} failed with exit code {done.returncode}")
    print("\n== required and reached\n")
    if arguments.quick:
        print("--quick: few steps and one round; these numbers judge nothing\n")
    print(*(table(requirements) if requirements else []), *failed, sep="\n")
    if not HAS_TORCH:
        print(NO_TORCH)
    load = " ".join(f"{x:.2f}" for x in os.getloadavg())
    print(f"{time.time() - begin:.0f} s; load average at the end {load}")
    missed = failed or (not arguments.quick and not all(r.met for r in requirements))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

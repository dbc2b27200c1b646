"""One part of the benchmark suite: what it requires, what was reached, and its own command."""

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from machine import describe, one_thread


@dataclass(frozen=True)
class Requirement:
    """A number and its limit; `at_least` False: at most."""

    what: str
    needed: float
    reached: float
    at_least: bool = True
    note: str = ""

    @property
    def met(self):
        if self.at_least:
            return bool(self.reached >= self.needed)
        return bool(self.reached <= self.needed)


def table(requirements):
    """Lines of the table required | reached | met."""
    width = max(len(r.what) for r in requirements)
    lines = [f"{'':{width}}  {'required':>10} {'reached':>10}  met?"]
    for r in requirements:
        needed = f"{'>=' if r.at_least else '<='} {r.needed:g}"
        line = f"{r.what:{width}}  {needed:>10} {r.reached:10.3g}  {'yes' if r.met else 'MISSED'}"
        lines.append(f"{line}  {r.note}".rstrip())
    return lines


def run(description, measure):
    """Run one part by its command; exit code 1 if a requirement is missed.

    `measure(quick)` prints its tables and returns its requirements. With --quick nothing is judged.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="few steps, one round: does it run")
    parser.add_argument("--record", type=Path, help="write the requirements to this JSON file")
    arguments = parser.parse_args()
    one_thread()
    print(describe(), flush=True)
    requirements = measure(arguments.quick)
    if requirements:
        print("", *table(requirements), sep="\n")
    print()
    print("load average at the end", *(f"{x:.2f}" for x in os.getloadavg()), flush=True)
    if arguments.record:
        arguments.record.write_text(json.dumps([asdict(r) for r in requirements]))
    sys.exit(0 if arguments.quick or all(r.met for r in requirements) else 1)

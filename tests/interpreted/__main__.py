"""Go through the runs without compilation; print what came out and which lines did not run.

NUMBA_DISABLE_JIT=1 python -m tests.interpreted
"""

import json
import sys

import numpy as np

import tests.interpreted.vectors  # noqa: F401  before anything that has kernels
from motsim.vectors.compiling import PACKAGE, SOURCES
from tests.interpreted.lines import missed, traced
from tests.interpreted.runs import RUNS


def main() -> None:
    files = [path for pattern in SOURCES for path in sorted(PACKAGE.glob(pattern))]
    found = {}
    with traced(files) as seen, np.errstate(all="ignore"):
        for name, run in RUNS.items():
            found[name] = [float(value) for value in run()]
    left = {
        f"{path.relative_to(PACKAGE).as_posix()}: {name}": lines
        for (path, name), lines in missed(files, seen).items()
    }
    json.dump({"results": found, "missed": left}, sys.stdout)


if __name__ == "__main__":
    main()

"""Draw T(eps) from the stored table: ``python figure.py [RESULTS]`` writes descent.png there."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from motsim.results.tables import load_tables


def draw(folder: Path) -> Path:
    """Draw one line a run, one color a case; return the picture's path."""
    rows = load_tables("descent", folder).main
    figure, axes = plt.subplots(figsize=(5.0, 3.2), layout="constrained")
    for number, (case, part) in enumerate(rows[rows["step"] > 0].groupby("case")):
        for i_run, (_, run) in enumerate(part.groupby("run")):
            label = str(case) if i_run == 0 else None
            axes.loglog(run["epsilon"], run["step"], color=f"C{number}", alpha=0.6, label=label)
    axes.invert_xaxis()
    axes.set(xlabel="relative loss ε", ylabel="steps T(ε)")
    axes.legend(frameon=False)
    path = folder / "descent.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


if __name__ == "__main__":
    print(draw(Path(sys.argv[1] if len(sys.argv) > 1 else "results")))

"""Tables of runs that reach a target after given steps."""

import numpy as np
import pandas as pd


def steps(logs):
    """A table of runs that reach 1e-3 after exp(logs) steps."""
    rows = {"seed": range(len(logs)), "step": np.exp(logs), "epsilon": 1e-3, "status": "reached"}
    rows = pd.DataFrame(rows).assign(num_steps=1e6, stage_length=1e6)
    return rows.assign(run=rows["seed"])

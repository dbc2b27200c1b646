"""How many seeds a figure says that it shows."""

import pandas as pd

from motsim.figures import style


def test_figures_name_the_seeds_of_every_case():
    rows = pd.DataFrame({"case": ["a", "a", "b", "b", "b"], "seed": [0, 1, 0, 1, 2]})
    assert style.seeds(rows) == "2 to 3"
    assert style.seeds(rows[rows["case"] == "b"]) == "3"

"""Made-up tables for the report, and how its page is read."""

import html
import json
import re

import numpy as np

from motsim.experiments.result import Result
from motsim.plans.loading import load_sweep
from motsim.results.export import export
from motsim.results.store import Store

HOSTILE = "<script>document.title = 'broken into'</script><img src=x onerror=alert(1)>"
MINE = """
title = {title}
seeds = 3
[fixed]
num_classes = 2
dim = 6
[case.{case}]
"""
#: Case of the headline -> T(eps) that gives the recorded verdict.
LAWS = {
    "mot-squared": lambda eps: 20 * np.log(1 / eps),
    "mot-linear-squared": lambda eps: 30 * np.log(1 / eps),
    "mot-logistic": lambda eps: 5 * eps**-0.77,
    "single-1-squared": lambda eps: np.where(eps > 0.04, 30 / eps, np.inf),
}


def ending(eps):
    """Logarithmic down to 3e-5; ten thousand times as long below."""
    return np.where(eps > 3e-5, 1.0, 1e4) * 20 * np.log(1 / eps)


def bending(eps):
    """A power down to 3e-8, and a logarithm below."""
    deep = np.minimum(eps / 3e-8, 1.0)
    return 4 * np.maximum(eps, 3e-8) ** -0.7 * (1.0 - np.log10(deep))


LAWS["single-16-squared"] = bending
LAWS |= {f"{case}-deep": ending for case in ("mot-squared", "mot-linear-squared")}
LAWS["mot-linear-squared-untrained-attention"] = LAWS["mot-linear-squared"]


def headline(cell):
    """Make up a run of the headline, by its law."""
    case, seed = cell.labels["case"], cell.labels["seed"]
    law = LAWS.get(case, lambda eps: 4 * eps**-0.7)
    decades = 11 if law is bending else 5
    eps = np.geomspace(1e-1, 10.0 ** -(decades + 1), 5 * decades + 1)
    steps = (1 + 0.01 * seed) * law(eps)
    reached = [int(step) if np.isfinite(step) else -1 for step in steps]
    last = max(reached)
    curve = np.arange(0, last + 1, max(last // 30, 1))
    return Result(
        "reached" if reached[-1] > 0 else "max_steps",
        {"num_steps": last, "stage_length": last, "final_loss": 1e-6,
         "covered_classes": 4.0 if case.startswith("mot") else float("nan")},
        {"hits": {"epsilon": list(eps), "step": reached, "stage_step": reached},
         "curve": {"step": list(map(int, curve)), "loss": list(0.5 / (1.0 + curve)),
                   "stage": ["converge"] * len(curve)}},
    )  # fmt: skip


def store_tables(folder, name, result_of, **options):
    sweep = load_sweep(str(name))
    cells = sweep.cells("quick", **options)
    with Store(folder) as store:
        for cell in cells:
            store.commit(cell.key, cell.kind, cell.settings.model_dump(), result_of(cell), 0.0)
        return export(store, sweep, "quick", cells, folder)


def store_mine(folder, title="mine", case="one", name="mine", result=None):
    file = folder / f"{name}.toml"
    file.write_text(MINE.format(title=json.dumps(title), case=json.dumps(case)))
    return store_tables(folder, file, lambda cell: result or Result("done", {"x": 0.5}))


def section_of(text, anchor):
    return re.search(rf'<section id="{anchor}".*?</section>', text, re.DOTALL)[0]


def plain(text):
    """Return what is read, without figures."""
    text = re.sub(r"<svg.*?</svg>", " ", text, flags=re.DOTALL)
    text = re.sub(r"</?(?:a|b|em|code|span|math|m[a-z]{1,6}(?<!main))\b[^>]*>", "", text)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())

"""A small sweep file, its one-line refusals, and ways to misspell a word."""

import pytest

from motsim.experiments.mixture.run import Settings
from motsim.plans.plan import SweepError

SMALL = """
title = "Small"
seeds = 2

[fixed]
num_classes = 2
dim = 6
converge_rate = 0.01

[grid]
num_experts = [2, 4]

[case.a]
preset = "cubic"
converge_rate = 0.02

[case.b]
loss = "logistic"
[case.b.grid]
top_k = [1]

[tier.full]
seeds = 3
[tier.full.fixed]
converge_rate = 0.03
align_rate = 0.4
[tier.full.case.b]
align_rate = 0.5
"""


def refusal(act):
    """The one line that the user reads."""
    with pytest.raises(SweepError) as caught:
        act()
    message = str(caught.value)
    assert message.strip() == message != ""
    assert len(message.splitlines()) == 1
    return message


FIELDS = sorted(set(Settings.model_fields) - {"seed"})
TYPOS = {
    "deletion": lambda w: w[: len(w) // 2] + w[len(w) // 2 + 1 :],
    "swap": lambda w: w[:1] + w[2] + w[1] + w[3:] if w[1] != w[2] else w[1] + w[0] + w[2:],
    "case": str.upper,
}

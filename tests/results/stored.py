"""A result with all that is hard to store, put and compared."""

import math

from motsim.experiments.result import Result

RESULT = Result(
    "reached",
    {"loss": 0.1 + 0.2, "bad": math.nan, "up": math.inf, "down": -math.inf, "n": 3, "name": "é\n"},
    {"hits": {"epsilon": [0.1, 5e-324], "step": [1, -1]}, "empty": {"a": []}},
)


def put(store, key="k", result=RESULT):
    store.commit(key, "mixture", {"seed": 0}, result, 0.5)


def exactly(value):
    """Comparable text: floats to the bit, NaN equal to NaN, types seen."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return value

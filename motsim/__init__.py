"""motsim checks the convergence-rate claims of learning-theory papers by simulation.

The names below load on first use, so that ``import motsim`` costs nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Mixture": "mixture.data",
    "make_signals": "mixture.data",
    "population": "mixture.points",
    "sample": "mixture.points",
    "Model": "mixture.model",
    "Routing": "mixture.model",
    "evaluate": "mixture.evaluation",
    "initial_parameters": "mixture.model",
    "loss_and_gradients": "mixture.evaluation",
    "Descent": "mixture.schedule",
    "Stage": "mixture.schedule",
    "train": "mixture.training",
    "KindSettings": "experiments.base",
    "Result": "experiments.result",
    "result_of_losses": "experiments.losses",
    "decide": "rates",
    "rate": "rates",
}

__all__ = sorted(_HOME)  # pyright: ignore


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'motsim' has no attribute {name!r}")
    return getattr(import_module(f"motsim.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""motsim checks the convergence-rate claims of learning-theory papers by simulation.

The names below load on first use, so that ``import motsim`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers and editors, which run nothing
    from motsim.experiments.base import KindSettings
    from motsim.experiments.losses import result_of_losses
    from motsim.experiments.result import Result
    from motsim.mixture.data import Mixture, make_signals
    from motsim.mixture.evaluation import evaluate, loss_and_gradients
    from motsim.mixture.model import Model, Routing, initial_parameters
    from motsim.mixture.points import population, sample
    from motsim.mixture.schedule import Descent, Stage
    from motsim.mixture.training import train
    from motsim.rates import decide, rate
    from motsim.running.calling import sweep

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
    "sweep": "running.calling",
}

__all__ = [
    "Descent",
    "KindSettings",
    "Mixture",
    "Model",
    "Result",
    "Routing",
    "Stage",
    "decide",
    "evaluate",
    "initial_parameters",
    "loss_and_gradients",
    "make_signals",
    "population",
    "rate",
    "result_of_losses",
    "sample",
    "sweep",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'motsim' has no attribute {name!r}")
    if name == "sweep":  # the command's module, which can be called: one thing, however imported
        return import_module("motsim.sweep")
    return getattr(import_module(f"motsim.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

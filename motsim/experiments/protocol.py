"""What a kind of run has to have, and what it may leave out.

A kind is a module with ``Settings``, a pydantic model with a field ``seed``, and ``run(settings)``,
which returns a `Result`. Everything else has a default:

``cost(settings)``
    About how many seconds a run takes at most: the longest go first, cheap ones together.
    Default: 1.
``effective(settings)``
    Settings of the same run, those that change nothing beside the others at one value for all:
    runs that agree then are computed once. It must not look at the seed. Default: each counts.
``compile_kernels()``
    What is to be compiled once, before workers start. Default: nothing.
``MEASURES``
    Names of the results whose medians the sweep command prints. Default: guessed by their names.
``SOURCES``
    Files, beside those that the module imports, whose change makes stored runs stale, as paths or
    patterns relative to the module. Default: none.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, Protocol, get_type_hints, runtime_checkable

from pydantic import BaseModel

from motsim.checks import did_you_mean
from motsim.experiments.result import Result, plain_result

__all__ = ["Kind", "KindError", "KindModule", "checked"]

COST = 1.0  # seconds of a run, where the kind does not say
SEED = "seed"


class KindError(ValueError):
    """A kind of run cannot be used; the message is one line for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


@runtime_checkable
class KindModule(Protocol):
    """What the module of a kind must have."""

    Settings: ClassVar[type[BaseModel]]

    def run(self, settings: Any) -> Result:
        """Compute one run."""
        ...


@dataclass(frozen=True)
class Kind:
    """A kind of run: what its module says, and the defaults for what it leaves out.

    Attributes
    ----------
    name : str
        As it is in keys: ``mixture``, ``mypkg.quad:run``.
    module : module
    function : str
        Its function that computes a run.
    folder : str
        What the module is imported from by name, if it only lies beside the sweep file.
    science : str
        Hash of the sources that its numbers come from; empty for motsim's own kinds, whose
        module's name tells it.
    """

    name: str
    module: ModuleType
    function: str = "run"
    folder: str = ""
    science: str = ""

    @property
    def module_name(self) -> str:
        """Full name of its module."""
        return self.module.__name__

    @property
    def own(self) -> bool:
        """Whether it is a user's own: not one that comes with motsim."""
        return bool(self.science)

    @property
    def Settings(self) -> type[BaseModel]:
        """The model of its settings: named so, or the annotation of the function's argument."""
        if self.function != "run" or not hasattr(self.module, "Settings"):
            hinted = _hinted(getattr(self.module, self.function))
            if hinted is not None:
                return hinted
        found: type[BaseModel] = self.module.Settings
        return found

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of results whose medians are printed; empty: guessed."""
        return tuple(getattr(self.module, "MEASURES", ()))

    @property
    def compiles(self) -> bool:
        """Whether something is to be compiled before a run."""
        return hasattr(self.module, "compile_kernels")

    @property
    def compiles_in_workers(self) -> bool:
        """Whether the workers compile what their runs need, each a share."""
        return hasattr(self.module, "compile_ahead")

    def run(self, settings: Any) -> Result:
        """Compute one run; what a user's own kind hands back is checked."""
        result: Result = getattr(self.module, self.function)(settings)
        return plain_result(result) if self.own else result

    def cost(self, settings: Any) -> float:
        """Return about how many seconds a run takes at most, on one core."""
        return float(self.module.cost(settings)) if hasattr(self.module, "cost") else COST

    def effective(self, settings: BaseModel) -> BaseModel:
        """Return settings of the same run, with one value for those without effect.

        Raises
        ------
        TypeError, ValueError
            If the kind's module hands back no such settings, or another seed.
        """
        if not hasattr(self.module, "effective"):
            return settings
        found = self.module.effective(settings)
        if not isinstance(found, type(settings)):
            raise TypeError(
                f"effective must return {type(settings).__name__}; got {type(found).__name__}"
            )
        if getattr(found, SEED) != getattr(settings, SEED):
            raise ValueError("effective must leave the seed as it is")
        return found

    def compile_kernels(self) -> None:
        """Compile what a run needs, or load it from the cache."""
        if self.compiles:
            self.module.compile_kernels()

    def dump(self, settings: BaseModel) -> dict[str, Any]:
        """Return settings as a key and the store hold them: plain values only."""
        return settings.model_dump(mode="json" if self.own else "python")


def checked(kind: Kind, called: str) -> Kind:
    """Return a kind that has what it must have; `called` is what the sweep file says.

    Raises
    ------
    KindError
        In one line, what is missing.
    """
    module, where = kind.module, f"kind {called!r}: module {kind.module_name}"
    run = getattr(module, kind.function, None)
    if not callable(run):
        defined = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        hint = did_you_mean(kind.function, defined)
        raise KindError(f"{where} has no function {kind.function!r}{hint}")
    _takes_one(run, f"{where}: {kind.function}(settings)")
    if not hasattr(module, "Settings") and _hinted(run) is None:
        raise KindError(
            f"{where} has no Settings: a pydantic model with the settings of a run"
            f" (class Settings, or {kind.function}(settings: MySettings))"
        )
    model = kind.Settings
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise KindError(f"{where}: Settings must be a pydantic model; got {_spelt(model)}")
    if SEED not in model.model_fields or model.model_fields[SEED].annotation is not int:
        raise KindError(f"{where}: {model.__name__} needs a field seed: int, one a run")
    for name in ("cost", "effective", "compile_kernels"):
        if hasattr(module, name) and not callable(getattr(module, name)):
            raise KindError(f"{where}: {name} must be a function")
    for name in ("MEASURES", "SOURCES"):
        found = getattr(module, name, ())
        if isinstance(found, str) or not all(isinstance(word, str) for word in _listed(found)):
            raise KindError(f"{where}: {name} must be a list of strings; got {found!r}")
    return kind


def _listed(found: Any) -> Sequence[Any]:
    return found if isinstance(found, (list, tuple)) else [None]


def _takes_one(run: Callable[..., Any], what: str) -> None:
    try:
        inspect.signature(run).bind(None)
    except TypeError as error:
        raise KindError(f"{what} must take the settings and nothing else: {error}") from None
    except ValueError:  # a builtin that does not tell
        pass


def _hinted(run: Callable[..., Any]) -> type[BaseModel] | None:
    """Model that a function's first argument is annotated with; None without one."""
    try:
        names = list(inspect.signature(run).parameters)
        found = get_type_hints(run).get(names[0]) if names else None
    except (NameError, TypeError, ValueError, AttributeError):
        return None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _spelt(thing: object) -> str:
    return f"class {thing.__name__}" if isinstance(thing, type) else repr(thing)[:80]

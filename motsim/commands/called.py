"""A command's module that can be called like the function it is named after."""

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motsim.results.tables import Tables

__all__ = ["CalledModule"]


class CalledModule(ModuleType):
    """`motsim.sweep`: the command, and a function with the arguments of `running.calling.sweep`."""

    def __call__(self, *arguments: Any, **options: Any) -> "Tables":
        """Run a sweep; see `motsim.running.calling.sweep`."""
        from motsim.running.calling import sweep

        return sweep(*arguments, **options)

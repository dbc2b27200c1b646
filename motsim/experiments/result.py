"""What one run hands back: a status, numbers, and tidy tables."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["STATUSES", "Result", "plain_result"]

STATUSES = ("reached", "max_steps", "diverged", "done")


@dataclass(frozen=True)
class Result:
    """Result of one run, made of plain Python values only.

    Attributes
    ----------
    status : str
        `reached`, `max_steps` (censored) or `diverged`; `done` where there is no target.
    metrics : dict
        One number or string a name.
    tables : dict of dict of list
        Columns of each table, for instance ``{"hits": {"epsilon": [...], "step": [...]}}``.
        Table "hits" is joined to the main table of a sweep; the others are exported beside it.
    """

    status: str
    metrics: dict[str, Any]
    tables: dict[str, dict[str, list[Any]]] = field(default_factory=dict)


def plain_result(result: Any) -> Result:
    """Return a result of plain values, as the store keeps them: NumPy's become Python's.

    Raises
    ------
    TypeError, ValueError
        If it is no result, or holds what no table can.

    >>> plain_result(Result("done", {"loss": 0.5})).metrics
    {'loss': 0.5}
    """
    if not isinstance(result, Result):
        raise TypeError(f"run must return a motsim.Result; got {type(result).__name__}")
    if result.status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}; got {result.status!r}")
    metrics = {str(name): _value(value, name) for name, value in result.metrics.items()}
    tables = {
        str(table): {
            str(column): [_value(value, f"{table}.{column}") for value in _list(values)]
            for column, values in columns.items()
        }
        for table, columns in result.tables.items()
    }
    for table, columns in tables.items():
        lengths = {column: len(values) for column, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of table {table!r} differ in length: {lengths}")
    return Result(result.status, metrics, tables)


def _list(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _value(value: Any, name: object) -> Any:
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{name} must be a number or a string; got {type(value).__name__}")

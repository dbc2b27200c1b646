"""What a run measured, between its result and the bytes of its row."""

import json
import zlib
from typing import Any

from motsim.experiments.result import Result
from motsim.results.row import Row

__all__ = ["ContentError", "packed", "unpacked"]


class ContentError(ValueError):
    """A row whose checksums are right holds no run."""


def packed(result: Result) -> bytes:
    """Return a result's metrics and tables as compressed JSON."""
    body = {"metrics": result.metrics, "tables": result.tables}
    return zlib.compress(json.dumps(body).encode())


def unpacked(row: Row) -> tuple[Result, dict[str, str]]:
    """Return the result and the versions of the libraries that made it.

    Raises
    ------
    ContentError
        If it is not what `packed` makes of a result whose tables have columns of one length.
    """
    try:
        body = json.loads(zlib.decompress(row.payload))
        metrics, tables, versions = body["metrics"], body["tables"], json.loads(row.versions)
        for name, columns in tables.items():
            if len({len(_expect(column, list)) for column in columns.values()}) > 1:
                raise ContentError(f"table {name!r} has columns of several lengths")
        return Result(row.status, _expect(metrics, dict), tables), _expect(versions, dict)
    except ContentError:
        raise
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ContentError(f"{type(error).__name__}: {' '.join(str(error).split())}") from error


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ContentError(f"{type(value).__name__} in place of {kind.__name__}")
    return value

"""What a run measured, between its result and the bytes of its row."""

import json
from typing import Any

from motsim.experiments.result import (
    STATUSES,
    Result,
    check_column,
    check_table,
    check_word,
)
from motsim.mixture.status import Status
from motsim.results.packing import PackingError, pack, unpack
from motsim.results.row import Row

__all__ = ["FAILED", "ContentError", "decompressed", "packed", "unpacked"]

FAILED = tuple(status for status in Status if not status.finished)
MAX_BYTES = 2**25  # of what one run measured, as JSON
MAX_LISTS = 100_000  # columns of one run, and what is like them
MAX_TEXT = 100_000  # bytes of versions
NUMBERS = {int, float, bool, type(None)}


class ContentError(ValueError):
    """A row whose checksums are right holds no run."""


def packed(result: Result) -> bytes:
    """Return a result's metrics and tables as compressed JSON.

    Raises
    ------
    ContentError
        If it is more than is read again.
    """
    body = json.dumps({"metrics": result.metrics, "tables": result.tables}).encode()
    if len(body) > MAX_BYTES:
        raise ContentError(f"a run of {len(body):,} bytes of results; at most {MAX_BYTES:,}")
    return pack(body)


def decompressed(payload: bytes) -> bytes:
    """Return what was compressed, if it is one piece and no more than a run may hold.

    Raises
    ------
    ContentError
    """
    try:
        return unpack(payload, MAX_BYTES)
    except PackingError as error:
        raise ContentError(str(error)) from error


def unpacked(row: Row) -> tuple[Result, dict[str, str]]:
    """Return the result and the versions of the libraries that made it.

    Raises
    ------
    ContentError
        If it is not what `packed` makes of a result as `motsim.experiments.result` wants it.
    """
    try:
        text = decompressed(row.payload)
        if text.count(b"[") + text.count(b"{") > MAX_LISTS or len(row.versions) > MAX_TEXT:
            raise ContentError(f"it holds more than {MAX_LISTS:,} lists")
        body, versions = json.loads(text), _expect(json.loads(row.versions), dict)
        metrics, tables = _expect(body["metrics"], dict), _expect(body["tables"], dict)
        _check_metrics(row.status, metrics)
        for name, columns in tables.items():
            check_table(name)
            _check_columns(name, _expect(columns, dict))
        for version in versions.values():
            check_word(_expect(version, str))
        return Result(row.status, metrics, tables), versions
    except ContentError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ContentError(f"{type(error).__name__}: {' '.join(str(error).split())}") from error


def _check_metrics(status: str, metrics: dict[str, Any]) -> None:
    if status not in (*STATUSES, *FAILED):
        raise ContentError(f"no run ends as {status[:40]!r}")
    if status in FAILED:
        _expect(metrics.get("error"), str)
    for name, value in metrics.items():
        check_column(name, main=True)
        _check_value(value)


def _check_columns(table: str, columns: dict[str, Any]) -> None:
    for name, column in columns.items():
        check_column(name, main=table == "hits")
        if not set(map(type, _expect(column, list))) <= NUMBERS:
            for value in column:
                _check_value(value)
    if len({len(column) for column in columns.values()}) > 1:
        raise ContentError(f"table {table!r} has columns of several lengths")


def _check_value(value: Any) -> None:
    if isinstance(value, str):
        check_word(value)
    elif value is not None and not isinstance(value, bool | int | float):
        raise ContentError(f"{type(value).__name__} in place of a number or a word")


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ContentError(f"{type(value).__name__} in place of {kind.__name__}")
    return value

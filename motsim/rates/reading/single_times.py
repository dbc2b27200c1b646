"""Single times: a file with one time a run to one target holds no curve, and no law."""

from math import gcd

import numpy as np

from motsim.checks import listed
from motsim.rates.reading import names
from motsim.rates.reading.curves import combine
from motsim.rates.reading.refusal import ReadingError
from motsim.rates.reading.table import Table

__all__ = ["refuse_single_times"]


def refuse_single_times(table: Table) -> None:
    """Raise ReadingError if a table has no step column but one time to a target per run."""
    free = [column for column in table.columns if column not in table.text]
    times = [column for column in free if names.single_time(column)]
    if len(times) != 1 or names.step_columns(free) or names.loss_columns(table.columns)[0]:
        return
    time = times[0]
    settings = [c for c in table.columns if c in table.text or names.is_method(c)]
    cells = table.cells([time], settings)
    labels = {c: label for c, label in cells.labels.items() if label.count > 1}
    for column in list(labels):  # columns that follow from others say nothing more
        rest = [label for other, label in labels.items() if other != column]
        all_of_them = combine(list(labels.values()), cells.rows.size)
        if rest and len(combine(rest, cells.rows.size).values) == len(all_of_them.values):
            del labels[column]
    group = combine(list(labels.values()), cells.rows.size)
    said = []
    for code in range(len(group.values)):
        at = np.flatnonzero(group.codes == code)
        values = cells.numbers[time][at]
        title = ", ".join(label.values[int(label.codes[at[0]])] for label in labels.values())
        text = f"{title + ': ' if title else ''}{values.size} runs,"
        text += f" {np.unique(values).size} distinct{_grid(values)}"
        said.append(text)
    raise ReadingError(
        f"{table.name}: no step column and one {time} a run: times to one accuracy give no law of"
        f" T(eps); {len(said)} groups by {listed(labels) or 'nothing'}: "
        + "; ".join(said[:12])
        + (f"; and {len(said) - 12} more" if len(said) > 12 else "")
    )


def _grid(values: np.ndarray) -> str:
    """Return what number all values are multiples of, if there is one above 1."""
    finite = values[np.isfinite(values)]
    whole = finite[(finite == np.round(finite)) & (np.abs(finite) < 2**53)]
    if whole.size < max(2, finite.size) or not whole.size:
        return ""
    divisor = gcd(*(int(value) for value in whole))
    return f", all multiples of {divisor:,}" if divisor > 1 else ""

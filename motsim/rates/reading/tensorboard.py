"""TensorBoard: event files, through the tensorboard library if it is installed."""

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from motsim.checks import listed, nearest
from motsim.rates.reading import names
from motsim.rates.reading.frames import FrameTable, frame_table
from motsim.rates.reading.refusal import ReadingError, short

__all__ = ["event_files", "events_table", "is_events", "is_scalars", "scalars_note"]

MOST_FILES = 10_000
THINNED = 1000
"""Scalars of one tag that TensorBoard's page and its exports hold at most."""


def is_events(name: str, head: bytes) -> bool:
    """Tell whether a file holds TensorBoard events."""
    return b"brain.Event:" in head[:64] or ("tfevents" in name and b"\0" in head[:16])


def is_scalars(columns: Sequence[str]) -> bool:
    """Tell whether a CSV file is TensorBoard's export of one tag."""
    return [name.lower() for name in columns] == ["wall time", "step", "value"]


def scalars_note(rows: int) -> str:
    """Say what TensorBoard's export leaves of a history."""
    if rows >= THINNED:
        return (
            f"TensorBoard's export keeps at most {THINNED:,} points, drawn at random, and not the"
            " first steps: T is known to the gaps between them only; the event files hold all."
        )
    return f"TensorBoard's export holds fewer than {THINNED:,} points: nothing was thinned."


def event_files(folder: Path) -> list[Path]:
    """Return the event files in a folder and below."""
    found: list[Path] = []
    for inner, _, files in os.walk(folder):
        found += [Path(inner) / file for file in files if "tfevents" in file]
        if len(found) > MOST_FILES:
            raise ReadingError(f"{folder}: more than {MOST_FILES:,} event files; name a part")
    return sorted(found)


def events_table(name: str, files: Sequence[Path], loss: str | None) -> FrameTable:
    """Return columns run, step and one tag of event files; a folder of them is a run."""
    import pandas as pd

    if find_spec("tensorboard") is None:
        raise ReadingError(
            f"{name}: TensorBoard events need its library; install it with: pip install tensorboard"
        )
    folders = sorted({file.parent for file in files})
    runs: dict[Path, Any] = {}
    tags: dict[str, int] = {}
    for source in files if len(files) == 1 else folders:
        runs[source] = _accumulated(source)
        for tag in _tags(runs[source]):
            tags[tag] = tags.get(tag, 0) + 1
    if not tags:
        raise ReadingError(f"{name}: event files without scalars")
    notes: list[str] = []
    if loss is None:
        known, speak = names.loss_columns(list(tags))
        found = known or speak or (list(tags) if len(tags) == 1 else [])
        if not found or (not known and len(found) > 1):
            raise ReadingError(
                f"{name}: which tag is the loss? name one of {listed(found or tags)} with --loss"
            )
        loss = found[0]
        others = [tag for tag in tags if tag != loss]
        other = f" (of {listed([loss, *others], 4)}: --loss TAG for another)" if others else ""
        notes.append(f"Loss tag: {loss}{other}.")
    elif loss not in tags:
        raise ReadingError(f"{name}: no tag {loss!r} (for --loss)" + nearest(loss, tags))
    base = Path(os.path.commonpath([str(folder) for folder in folders]))
    frames = []
    for source, events in runs.items():
        if loss not in _tags(events):
            notes.append(f"Run {source.name} holds no {loss}: left out.")
            continue
        label = base.name if source in files or source == base else str(source.relative_to(base))
        steps, values = _scalars(events, loss)
        frames.append(pd.DataFrame({"run": label, "step": steps, loss: values}))
    table = frame_table(name, pd.concat(frames, ignore_index=True), "tensorboard")
    table.notes += [*notes, "TensorBoard events: every point is read, rows are their order."]
    return table


def _accumulated(source: Path) -> Any:
    module = import_module("tensorboard.backend.event_processing.event_accumulator")
    try:
        events = module.EventAccumulator(
            str(source), size_guidance={module.SCALARS: 0, module.TENSORS: 0}
        )
        events.Reload()
    except Exception as error:  # of protobuf's and the library's own kinds
        raise ReadingError(f"{source}: no readable events: {short(error, 120)}") from None
    return events


def _tags(events: Any) -> list[str]:
    tags = events.Tags()
    found = list(tags.get("scalars", []))
    for tag in tags.get("tensors", []):
        plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
        if plugin == "scalars":
            found.append(tag)
    return found


def _scalars(events: Any, tag: str) -> tuple[list[float], list[float]]:
    if tag in events.Tags().get("scalars", []):
        points = events.Scalars(tag)
        return [float(p.step) for p in points], [float(p.value) for p in points]
    to_array = import_module("tensorboard.util.tensor_util").make_ndarray
    points = events.Tensors(tag)
    return [float(p.step) for p in points], [float(to_array(p.tensor_proto)) for p in points]

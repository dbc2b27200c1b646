"""From settings to samples: load the data, make tokens and tasks, split."""

import tempfile
from pathlib import Path

import numpy as np

from motsim.experiments.realdata.settings import Settings, mixture
from motsim.mixture.data import make_signals
from motsim.mixture.points import sample
from motsim.realdata import Images, Sequences, Texts, read_archive, write_archive
from motsim.realdata.source import load_data, split_rows, subset
from motsim.realdata.tasks import Samples, Split, from_sequences, make_tasks, split
from motsim.realdata.tokens import image_tokens, text_tokens

__all__ = ["prepare"]


def prepare(settings: Settings) -> Split:
    """Return the samples of a run."""
    s = settings
    found = _synthetic(s) if s.data == "synthetic" else load_data(s.data, s.path, s.content)
    rows = split_rows(found, s.validation_share, s.test_share, s.max_samples, s.seed)
    used = np.sort(np.concatenate(rows))
    if len(used) < len(found.labels):
        found = subset(found, used)
        train, checks, test = (np.searchsorted(used, part).astype(np.int64) for part in rows)
        rows = train, checks, test
    if isinstance(found, Sequences):
        samples = from_sequences(found, s.constant)
    else:
        samples = _made(s, found, rows[0])
    return split(samples, rows, shuffle_labels=s.shuffle_labels, seed=s.seed)


def _made(s: Settings, found: Images | Texts, train: np.ndarray) -> Samples:
    """Mixture of tasks from images or texts."""
    dim = s.dim - s.num_tasks * s.told
    if isinstance(found, Texts):
        tokens = text_tokens(found, train, num_tokens=s.num_tokens, dim=dim, seed=s.seed)
    else:
        tokens = image_tokens(
            found, train, patch=s.patch, dim=dim, projection=s.projection, position=s.position,
            seed=s.seed,
        )  # fmt: skip
    amplitude = s.task_amplitude if s.told else 0.0
    return make_tasks(
        tokens, found.labels, scheme=s.scheme, num_tasks=s.num_tasks, amplitude=amplitude,
        num_classes=s.num_classes, seed=s.seed,
    )  # fmt: skip


def _synthetic(s: Settings) -> Sequences:
    """Draw the paper's data, write it as an archive, and read it as any other."""
    data = mixture(s)
    points = sample(data, make_signals(data, s.seed), s.synthetic_samples, seed=s.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthetic.npz"
        write_archive(path, s.token_scale * points.tokens, points.labels, points.classes)
        return read_archive(path)

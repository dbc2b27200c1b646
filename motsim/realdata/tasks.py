"""Mixtures of classification tasks, made from labeled data.

A sample is a sequence seen in one task, and each task has its own rule from the class of the
sequence to the target:

* ``pairs``: task n tells two classes apart, which no other task has; targets -1 and +1.
* ``groups``: task n tells one half of the classes from the other; targets -1 and +1. Every
  sequence is seen in every task, so the same image is +1 in one task and -1 in another.
* ``relabeled``: task n gives every class another number, 0 to C - 1; each sequence in every task.
* ``classes``: one rule, the class itself; the task of a sample is its class, known to no model.

Which task is asked is told by one more token, as in the paper's data: a vector orthogonal to all
others, times `amplitude`. With amplitude 0 there is none, and the model has to see it.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from motsim.checks import check_choice
from motsim.randomness import generator
from motsim.realdata.records import Sequences

__all__ = ["SCHEMES", "Samples", "Split", "check_scheme", "from_sequences", "make_tasks", "split"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SCHEMES = ("pairs", "groups", "relabeled", "classes")


@dataclass(frozen=True)
class Samples:
    """Samples of a mixture: rows of shared tokens, each in a task.

    Attributes
    ----------
    tokens : (n, L, d) float64
        Where there are task tokens, the last place of each sequence is kept free for it.
    rows, tasks, targets : (s,) int64
        Sequence, task (0 to N - 1) and target of each sample.
    task_tokens : (N, d) float64, or (0, d) if no token tells the task
    num_outputs : int
        1 for targets -1 and +1, else the number of classes.
    """

    tokens: Floats
    rows: Integers
    tasks: Integers
    targets: Integers
    task_tokens: Floats
    num_outputs: int

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.rows)

    @property
    def num_tasks(self) -> int:
        """Number of tasks N."""
        return len(self.task_tokens) or int(self.tasks.max()) + 1

    @cached_property
    def token_sums(self) -> Floats:
        """Sum of the tokens (n, d) of each sequence, without the task's."""
        return self.tokens.sum(axis=1)

    def sums(self, chosen: Integers) -> Floats:
        """Sum of the tokens (b, d) of some samples: what a gate sees."""
        found = self.token_sums[self.rows[chosen]]
        if len(self.task_tokens):
            found += self.task_tokens[self.tasks[chosen]]
        return found

    def inputs(self, chosen: Integers) -> Floats:
        """Token sequences (b, L, d) of some samples."""
        found = self.tokens[self.rows[chosen]]
        if len(self.task_tokens):
            found[:, -1] = self.task_tokens[self.tasks[chosen]]
        return found

    def select(self, chosen: NDArray[np.generic]) -> "Samples":
        """Return some of the samples; the tokens are shared."""
        return replace(
            self, rows=self.rows[chosen], tasks=self.tasks[chosen], targets=self.targets[chosen]
        )


@dataclass(frozen=True)
class Split:
    """Samples for training, for every choice, and for the one report."""

    train: Samples
    validation: Samples
    test: Samples


def check_scheme(scheme: str, num_classes: int, num_tasks: int) -> None:
    """Raise ValueError, naming value and rule, unless `make_tasks` can make these tasks."""
    most = {"pairs": num_classes // 2, "groups": 1000, "relabeled": 1000, "classes": num_classes}
    check_choice("scheme", scheme, SCHEMES)
    if scheme == "groups":
        most["groups"] = _halves(num_classes)
    least = num_classes if scheme == "classes" else 1
    if not least <= num_tasks <= most[scheme]:
        raise ValueError(
            f"num_tasks of scheme {scheme!r} must be {least} to {most[scheme]} with"
            f" {num_classes} classes; got {num_tasks}"
        )


def _halves(num_classes: int) -> int:
    """Number of ways to give half of the classes +1, at most 1000."""
    ways = 1
    for k in range(num_classes // 2):
        ways = ways * (num_classes - k) // (k + 1)
    return min(ways, 1000)


def make_tasks(
    tokens: Floats,
    labels: Integers,
    *,
    scheme: str,
    num_tasks: int,
    amplitude: float = 1.0,
    num_classes: int | None = None,
    seed: int = 0,
) -> Samples:
    """Return the mixture of one seed, which draws the classes and rules of the tasks.

    Parameters
    ----------
    tokens : (n, L, d) array
    labels : (n,) array
        Class of each sequence, 0 to C - 1.
    scheme, num_tasks
        See the module's text; `check_scheme` says what is valid.
    amplitude : float
        Norm of the task's token, >= 0. The N task tokens get N dimensions of their own, so d
        grows by N.
    num_classes : int, optional
        C, where not every class need be there.
    seed : int
        Of the run; its "signals" stream is used.
    """
    num_classes = num_classes or int(labels.max()) + 1
    check_scheme(scheme, num_classes, num_tasks)
    rules = _rules(scheme, num_classes, num_tasks, generator(seed, "signals"))
    if scheme == "classes":
        rows, tasks = np.arange(len(labels)), labels
        targets = labels
    else:
        tasks, rows = np.divmod(np.arange(num_tasks * len(labels)), len(labels))
        targets = rules[tasks, labels[rows]]
        kept = targets != ABSENT
        rows, tasks, targets = rows[kept], tasks[kept], targets[kept]
    told = amplitude > 0
    count, length, dim = tokens.shape
    wide = np.zeros((count, length + told, dim + num_tasks * told))
    wide[:, :length, :dim] = tokens
    task_tokens = amplitude * np.eye(num_tasks, wide.shape[2], dim)
    outputs = num_classes if scheme in ("relabeled", "classes") else 1
    return Samples(wide, rows, tasks, targets, task_tokens[: num_tasks * told], outputs)


ABSENT = -99  # target of a class that a task does not have


def _rules(
    scheme: str, num_classes: int, num_tasks: int, draw: np.random.Generator
) -> NDArray[np.int64]:
    """Target of each class in each task (N, C)."""
    if scheme == "pairs":
        order = draw.permutation(num_classes)
        rules = np.full((num_tasks, num_classes), ABSENT)
        for n in range(num_tasks):
            rules[n, order[2 * n]], rules[n, order[2 * n + 1]] = 1, -1
        return rules
    if scheme == "groups":
        found: dict[bytes, NDArray[np.int64]] = {}
        while len(found) < num_tasks:
            rule = np.where(draw.permutation(num_classes) < num_classes // 2, 1, -1)
            found.setdefault(rule.tobytes(), rule)
        return np.stack(list(found.values()))
    return np.stack([draw.permutation(num_classes) for _ in range(num_tasks)])


def from_sequences(sequences: Sequences, constant: float = 0.0) -> Samples:
    """Return the mixture of an archive: its own labels and components, no task token.

    A `constant` other than 0 is added to every token as one more coordinate, so that every neuron
    has a bias.
    """
    tokens, labels = sequences.tokens, sequences.labels
    if constant:
        tokens = np.pad(tokens, ((0, 0), (0, 0), (0, 1)), constant_values=constant)
    binary = bool((labels < 0).any())
    return Samples(
        tokens,
        np.arange(len(labels)),
        sequences.classes,
        labels,
        np.zeros((0, tokens.shape[2])),
        1 if binary else int(labels.max()) + 1,
    )


def split(
    samples: Samples,
    parts: tuple[Integers, Integers, Integers],
    *,
    shuffle_labels: bool = False,
    seed: int = 0,
) -> Split:
    """Split samples by their sequences, so that none is in two parts.

    Parameters
    ----------
    samples : Samples
    parts : three arrays of rows
        Sequences for training, validation and test.
    shuffle_labels : bool
        Give training and validation samples the targets of others: a negative control.
    seed : int
        Of the run; its "sampling" stream shuffles.
    """
    train, validation, test = (samples.select(np.isin(samples.rows, rows)) for rows in parts)
    if shuffle_labels:
        draw = generator(seed, "sampling")
        train = replace(train, targets=draw.permutation(train.targets))
        validation = replace(validation, targets=draw.permutation(validation.targets))
    for name, part in (("training", train), ("validation", validation), ("test", test)):
        if not len(part):
            raise ValueError(f"the {name} split has no sample; use more data or other shares")
    return Split(train, validation, test)

"""What a loader returns: labeled images, texts or token sequences."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DataError", "Images", "Sequences", "Texts"]

Integers = NDArray[np.int64]


class DataError(ValueError):
    """A data file is missing, truncated or of another format; the message names it."""


@dataclass(frozen=True)
class Images:
    """Labeled images.

    Attributes
    ----------
    pixels : (n, H, W, K) array
        Integers in 0 to `peak`; K = 1 for gray, 3 for color.
    labels : (n,) int64
        0 to C - 1.
    peak : int
        Largest possible pixel value.
    num_train : int
        The first `num_train` images are published as training set; 0 if there is no such split.
    """

    pixels: NDArray[np.uint8]
    labels: Integers
    peak: int
    num_train: int = 0


@dataclass(frozen=True)
class Texts:
    """Labeled documents.

    Attributes
    ----------
    documents : tuple of str
    labels : (n,) int64
        0 to C - 1, in the alphabetical order of `names`.
    names : tuple of str
        Names of the classes.
    """

    documents: tuple[str, ...]
    labels: Integers
    names: tuple[str, ...]


@dataclass(frozen=True)
class Sequences:
    """Token sequences whose mixture component is known.

    Attributes
    ----------
    tokens : (n, L, d) float64
    labels : (n,) int64
        -1 or +1, or 0 to C - 1.
    classes : (n,) int64
        Component (task) of each sequence, 0 to N - 1.
    """

    tokens: NDArray[np.float64]
    labels: Integers
    classes: Integers

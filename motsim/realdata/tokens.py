"""Images and texts as token sequences of one width."""

import itertools

import numpy as np
from numpy.typing import NDArray

from motsim.randomness import generator
from motsim.realdata.records import Images, Texts

__all__ = ["image_tokens", "patch_count", "text_tokens"]

Floats = NDArray[np.float64]
MAX_NUMBERS = 400_000_000  # 3.2 GB
MAX_WORDS = 20_000
SMALL = 1024  # numbers of an image whose covariance matrix is diagonalised whole
FITTED = 10_000  # rows that principal components are computed from


def patch_count(shape: tuple[int, ...], patch: int) -> int:
    """Number of square patches of an image (H, W, …); ValueError if they do not fill it."""
    height, width = shape[:2]
    if height % patch or width % patch:
        common = [p for p in range(1, min(height, width) + 1) if not (height % p or width % p)]
        near = min(common, key=lambda p: abs(p - patch))
        raise ValueError(
            f"patch must divide the image's {height} x {width} pixels; got {patch}: use {near}"
        )
    return (height // patch) * (width // patch)


def image_tokens(
    images: Images,
    train: NDArray[np.int64],
    *,
    patch: int,
    dim: int,
    projection: str = "pca",
    position: str = "place",
    seed: int = 0,
) -> Floats:
    """Return tokens (n, L, dim), one a patch, of mean square norm 1 over the training images.

    The mean training image is taken off first.

    Parameters
    ----------
    images : Images
    train : (t,) rows
        Images from which mean, components and scale are computed.
    patch : int
        Side of a square patch in pixels; it must divide both sides of the image.
    dim : int
    projection : {"pca", "random"}
        Leading principal components (of at most 10,000 images or patches), or Gaussian directions
        drawn by the seed.
    position : {"place", "additive"}
        `place`: each place has a projection of its own, the part of one projection of the whole
        image that belongs to it, so the *sum of the tokens*, which the gate sees, is the
        projected image. `additive`: one projection for all patches, and a fixed random vector of
        norm 1 added at each place; then the sum only holds the mean patch.
    seed : int
        Of the run; its "noise" stream is used.

    Raises
    ------
    ValueError
        If the patch does not divide the image or there would be too many numbers.
    """
    count, height, width, depth = images.pixels.shape
    length = patch_count((height, width), patch)
    if count * length * dim > MAX_NUMBERS:
        raise ValueError(
            f"{count:,} images of {length} tokens in {dim} dimensions are more than"
            f" {MAX_NUMBERS:,} numbers; use a larger patch or a smaller max_samples"
        )
    mean = images.pixels[train].mean(axis=0)
    pixels = images.pixels - mean
    pixels /= images.peak
    grid = pixels.reshape(count, height // patch, patch, width // patch, patch, depth)
    patches = grid.transpose(0, 1, 3, 2, 4, 5).reshape(count, length, patch * patch * depth)
    draw = generator(seed, "noise")
    positions = draw.standard_normal((length, dim))
    if position == "place":
        whole = patches.reshape(count, -1)
        basis = _basis(whole[train], dim, projection, draw).reshape(length, -1, dim)
        tokens = np.matmul(patches.transpose(1, 0, 2), basis).transpose(1, 0, 2)
        return _scaled(np.ascontiguousarray(tokens), train)
    basis = _basis(patches[train].reshape(-1, patches.shape[2]), dim, projection, draw)
    positions /= np.linalg.norm(positions, axis=1, keepdims=True)
    return _scaled(_scaled(patches @ basis, train) + positions, train)


def _basis(rows: Floats, dim: int, projection: str, draw: np.random.Generator) -> Floats:
    """Directions (p, dim); with fewer than dim components the rest are zero."""
    size = rows.shape[1]
    if projection == "random":
        return draw.standard_normal((size, dim)) / np.sqrt(dim)
    from sklearn.decomposition import PCA

    rows = rows[:FITTED]
    most = min(size, len(rows))
    if size <= SMALL:
        rule = PCA(min(dim, most), svd_solver="covariance_eigh")
    else:  # all eigenvectors would take ten seconds for color images
        rule = PCA(min(dim, most - 1), svd_solver="arpack", random_state=0)
    found = rule.fit(rows).components_.T
    return np.pad(found, ((0, 0), (0, dim - found.shape[1])))


def text_tokens(
    texts: Texts, train: NDArray[np.int64], *, num_tokens: int, dim: int, seed: int = 0
) -> Floats:
    """Return tokens (n, L, dim): the L equal parts of each document, by TF-IDF and truncated SVD.

    Vocabulary, weights and components are those of the training documents. The part of a document
    with fewer than L words may be empty: its token is zero.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    rule = TfidfVectorizer(
        max_features=MAX_WORDS, min_df=min(2, len(train)), sublinear_tf=True, stop_words="english"
    )
    whole = rule.fit_transform([texts.documents[i] for i in train])
    width = min(dim, whole.shape[1] - 1, len(train) - 1)
    if width < 1:
        raise ValueError("the training documents share too few words for a projection")
    components = TruncatedSVD(width, random_state=seed).fit(whole)
    parts = [part for text in texts.documents for part in _parts(text.split(), num_tokens)]
    flat = components.transform(rule.transform(parts))
    flat = np.pad(flat, ((0, 0), (0, dim - width)))
    return _scaled(flat.reshape(len(texts.documents), num_tokens, dim), train)


def _parts(words: list[str], count: int) -> list[str]:
    ends = [round(k * len(words) / count) for k in range(count + 1)]
    return [" ".join(words[a:b]) for a, b in itertools.pairwise(ends)]


def _scaled(tokens: Floats, train: NDArray[np.int64]) -> Floats:
    """Tokens with mean square norm 1 over the training rows."""
    square = float((tokens[train] ** 2).sum(axis=2).mean())
    return tokens / np.sqrt(square) if square > 0 else tokens

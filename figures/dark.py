"""Colors of a figure in a page that follow the page: each has a twin for dark ground.

A gray has the contrast on dark ground that it has on white; a color proper, as of a line, stays as
it is where that has the contrast of text, and is made lighter where not. Opaque images keep their
colors, and so does what stands on them.
"""

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

__all__ = ["contrast", "follow", "mark", "rules", "twin"]

GROUND = "#1d2024"  # of a card of the page
LIGHTEST = 13.0  # contrast; white on black glares
VIVID, LEAST = 0.06, 4.6  # chroma from which on a color is more than a tint; its contrast
COLOR = re.compile(r"(?<![-\w])(fill|stroke): #([0-9a-f]{6})")
KEPT = "on-image"  # id of what stands on an image
USED = re.compile(r"var\(--c([0-9a-f]{6}),")

#: Linear sRGB -> cone responses, and their cube roots -> lightness and two axes of hue (Oklab).
CONES = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
LAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip


def contrast(one: str, other: str) -> float:
    """Contrast of two colors (WCAG 2).

    >>> round(contrast("#000000", "#ffffff"), 3)
    21.0
    """
    low, high = sorted(float(_linear(color) @ (0.2126, 0.7152, 0.0722)) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


def twin(color: str) -> str:
    """Return a color for dark ground.

    >>> twin("#ffffff")
    '#1d2024'
    """
    wanted = min(contrast(color, "#ffffff"), LIGHTEST)
    if wanted < 1.02:
        return GROUND
    _, a, b = LAB @ np.cbrt(CONES @ _linear(color))
    if np.hypot(a, b) > VIVID:  # as it is where it can be told from the ground
        if contrast(color, GROUND) >= LEAST:
            return color
        wanted = LEAST
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        found = _hex(middle, a, b)
        enough = middle > 0.25 and contrast(found, GROUND) >= wanted  # lighter than the ground
        low, high = (low, middle) if enough else (middle, high)
    return _hex(high, a, b)


def mark(figure: Figure) -> None:
    """Mark what stands on images, so that it keeps its colors."""
    for number, ax in enumerate(ax for ax in figure.axes if any(map(_opaque, ax.images))):
        ax.patch.set_gid(f"{KEPT}-{number}")
        inside = [t for t in ax.texts if ax.bbox.overlaps(t.get_window_extent())]
        for i_artist, artist in enumerate((*inside, *ax.lines)):
            artist.set_gid(f"{KEPT}-{number}-{i_artist}")


def _opaque(image: AxesImage) -> bool:
    values = image.get_array()
    return values is None or values.ndim < 3 or bool((values[..., 3:] == 1).all())


def follow(svg: ET.Element) -> None:
    """Let the colors of a drawing come from its page, with its own where the page has none."""
    if svg.get("id", "").startswith(KEPT):
        return
    if style := svg.get("style"):
        svg.set("style", COLOR.sub(r"\1: var(--c\2, #\2)", style))
    for child in svg:
        follow(child)


def rules(svgs: Iterable[str]) -> str:
    """Return the declarations of every color that these images use, for dark ground."""
    used = sorted({color for svg in svgs for color in USED.findall(svg)})
    return " ".join(f"--c{color}: {twin(f'#{color}')};" for color in used)


def _linear(color: str) -> np.ndarray:
    value = np.array([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _hex(lightness: float, a: float, b: float) -> str:
    """Return a color of this lightness, as vivid as it can be shown."""
    for share in np.linspace(1.0, 0.0, 21):
        cones = (np.linalg.inv(LAB) @ (lightness, share * a, share * b)) ** 3
        linear = np.linalg.inv(CONES) @ cones
        if share == 0.0 or (linear.min() >= -1e-3 and linear.max() <= 1.0 + 1e-3):
            break
    linear = np.clip(linear, 0.0, 1.0)
    value = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in value)

"""Figures in a page follow its colors, with enough contrast on dark ground."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from motsim.figures import style
from motsim.figures.dark import GROUND, LIGHTEST, contrast, rules, twin
from motsim.figures.inline import inline_svg

COLORS = [to_hex(color) for color in style.PALETTE if to_hex(color) != "#949494"]


@pytest.mark.parametrize("level", ["00", "26", "55", "73", "cc", "eb", "ff"])
def test_a_gray_keeps_its_contrast(level):
    gray = f"#{level * 3}"
    wanted = min(contrast(gray, "#ffffff"), LIGHTEST)
    assert contrast(twin(gray), GROUND) == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("color", COLORS)
def test_a_color_is_told_from_the_ground(color):
    assert contrast(twin(color), GROUND) >= 4.5


def test_without_a_twin_some_colors_are_not():
    """Control of the test above; black ink is the worst."""
    assert min(contrast(color, GROUND) for color in COLORS) < 4.5
    assert contrast("#000000", GROUND) < 1.5


def test_text_in_a_color_is_legible_on_white_and_on_dark_ground():
    inks = [style.ink(number) for number in range(len(style.PALETTE))]
    for color in inks:
        assert contrast(color, "#ffffff") >= 4.5
        assert contrast(twin(color), GROUND) >= 4.5
    assert min(contrast(to_hex(c), "#ffffff") for c in style.PALETTE) < 2  # control


def test_twins_stay_apart():
    twins = {twin(color) for color in COLORS}
    assert len(twins) == len(COLORS)


def sketch(image=None):
    figure = Figure(figsize=(3, 2))
    ax = figure.add_subplot(title="ink")
    ax.plot([0, 1], [0, 1], color=style.PALETTE[0])
    if image is not None:
        ax.imshow(image)
        ax.text(0, 0, "on it")
    return inline_svg(figure, "x", "x")


def test_every_color_of_a_figure_follows_the_page():
    text = sketch()
    assert not re.findall(r"(?:fill|stroke): #", text)
    assert "var(--c0173b2, #0173b2)" in text  # and has its own where the page has none
    assert f"--c0173b2: {twin('#0173b2')};" in rules([text])
    assert rules([]) == ""


def colors_of(text, words):
    """Style of the group around some text."""
    root = ET.fromstring(text)
    parents = {child: parent for parent in root.iter() for child in parent}
    (node,) = [e for e in root.iter() if e.tag.endswith("text") and e.text == words]
    return node.get("style", "") + parents[node].get("style", "")


def test_what_stands_on_an_opaque_image_keeps_its_color():
    opaque = sketch(np.eye(2))
    assert "var(" not in colors_of(opaque, "on it")
    clear = sketch(np.full((2, 2, 4), 0.3))  # control: the ground shines through
    assert "--c" in clear
    assert clear.count("var(") > opaque.count("var(")

"""A figure as part of a page: SVG with text as text, ids of its own, and a text alternative."""

import io
import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motsim.figures import FORMATS, laid_out
from motsim.figures.dark import follow, mark

__all__ = ["alternative", "inline_svg"]

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
LINK = f"{{{XLINK}}}href"
REFERENCE = re.compile(r"url\(#([^)]+)\)")
DECIMAL = re.compile(r"-?\d+\.\d{3,}")


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """Return the figure as an ``<svg role="img">`` element.

    The same figure gives the same text. Colors follow those of the page
    (figures/dark.py). Ids start with `name`, so that figures of one page do not
    clash; ids that nothing refers to are left out. The width in CSS follows from ``--points``, the
    width of the picture in points.
    """
    stream = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "motsim"}):
        frame = laid_out(figure)
        mark(figure)
        figure.savefig(stream, format="svg", metadata=FORMATS["svg"], bbox_inches=frame)
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(stream.getvalue())
    _drop(root, "metadata", "style")
    follow(root)
    _own_ids(root, f"figure-{name}-")
    for path in root.iter(f"{{{SVG}}}path"):  # a hundredth of a point is finer than any screen
        path.set("d", DECIMAL.sub(lambda n: f"{float(n[0]):.2f}", path.get("d", "")))
    width = root.get("viewBox", "0 0 0 0").split()[2]
    labels = {}
    for position, (tag, text) in enumerate((("title", title), ("desc", alternative(figure)))):
        element = ET.Element(f"{{{SVG}}}{tag}", id=f"figure-{name}-{tag}")
        element.text, element.tail = text, "\n"
        root.insert(position, element)
        labels[tag] = element.get("id", "")
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {
        "role": "img",
        "aria-labelledby": labels["title"],
        "aria-describedby": labels["desc"],
        "style": f"--points: {float(width):.0f}",
        # matplotlib sets these two by a style sheet, which would reach the whole page
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    return ET.tostring(root, encoding="unicode")


def _drop(root: ET.Element, *tags: str) -> None:
    unwanted = {f"{{{SVG}}}{tag}" for tag in tags}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in unwanted:
                parent.remove(child)


def _own_ids(root: ET.Element, prefix: str) -> None:
    """Rename the ids that are referred to; delete the others."""
    used = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == LINK and value.startswith("#"):
                used.add(value[1:])
                element.set(key, f"#{prefix}{value[1:]}")
            elif "url(#" in value:
                used.update(REFERENCE.findall(value))
                element.set(key, REFERENCE.sub(rf"url(#{prefix}\1)", value))
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", f"{prefix}{name}")


def alternative(figure: Figure) -> str:
    """Say in words what is to be seen: panels, axes with their scale, what is drawn."""
    axes = [ax for ax in figure.axes if ax.get_visible() and ax.axison]
    panels = [ax for ax in axes if ax.get_label() != "<colorbar>"]
    parts = [f"{len(panels)} panel{'s' if len(panels) != 1 else ''}."]
    parts += [_panel(n, ax) for n, ax in enumerate(panels, 1)]
    for ax in axes:
        if ax not in panels and (name := ax.get_ylabel() or ax.get_xlabel()):
            parts.append(f"Color: {name}.")
    for legend in figure.legends:
        names = [text.get_text() for text in legend.get_texts()]
        parts.append(f"Drawn: {'; '.join(names)}.")
    parts += [f"Under it: {text}." for text in (figure.get_supxlabel(),) if text]
    return _plain(" ".join(parts))


def _panel(number: int, ax: Axes) -> str:
    words = [f"Panel {number}" + (f", {ax.get_title()}" if ax.get_title() else "")]
    for side, label, scale in (
        ("across", ax.get_xlabel(), ax.get_xscale()),
        ("up", ax.get_ylabel(), ax.get_yscale()),
    ):
        if label:
            words.append(f"{side}: {label}" + (" (logarithmic)" if scale == "log" else ""))
    names = [name for name in ax.get_legend_handles_labels()[1] if name]
    if names and ax.get_legend():
        words.append(f"drawn: {'; '.join(names)}")
    return ", ".join(words) + "."


def _plain(text: str) -> str:
    """Without line breaks and the marks of mathematics."""
    return " ".join(re.sub(r"[${}]|\\(?:mathrm|mathdefault)?", "", text).split())

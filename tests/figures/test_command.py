"""The command `figures`: its files, its answers, and figures as parts of a page."""

import re
from contextlib import nullcontext, suppress
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from motsim.experiments.result import Result
from motsim.figures import draw, drawn
from motsim.figures.__main__ import main
from motsim.figures.animation import animate, frames, write
from motsim.figures.inline import alternative, inline_svg
from motsim.results.files import TableFile
from motsim.results.store import StoreError
from motsim.results.tables import Tables, TablesError, load_tables
from motsim.sweep import main as sweep
from tests.refusals import refusal
from tests.report.report_pages import headline, store_mine, store_tables

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return store_tables(tmp_path_factory.mktemp("results"), "rates", headline, seeds=2)


def test_pictures_come_as_pdf_png_and_svg(tables, tmp_path):
    paths = draw("rates", tables, tmp_path)
    assert [path.name for path in paths] == ["rates.png", "rates-loss.png"]
    files = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    begin = {"pdf": b"%PDF", "png": b"\x89PNG", "svg": b"<?xml"}
    assert len(files) == 6
    for name, content in files.items():
        assert content.startswith(begin[name.rsplit(".")[-1]])
        assert not re.search(rb"<dc:date>|CreationDate", content)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Result("error", {"error": "ValueError: no"}), "none of the 24 runs of rates can be drawn"),
        (Result("diverged", {"num_steps": 3}), "can be drawn (24 diverged)"),
        (Result("max_steps", {"final_loss": float("nan")}), "holds no number to draw"),
    ],
)
def test_tables_without_anything_to_draw_are_one_line(tmp_path, capsys, result, words):
    store_tables(tmp_path, "rates", lambda cell: result, seeds=2)
    assert main(["rates", "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rate"], "unknown figure 'rate'; did you mean 'rates'?"),
        (["rates"], "rates.csv is missing; make it with: python -m motsim.sweep rates"),
        (["--ot", "x"], "did you mean --out?"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path, capsys, arguments, words):
    assert words in refusal(main, [*arguments, "--out", str(tmp_path)], capsys)


def test_a_folder_in_the_way_is_one_line(tables, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "motsim.figures.drawn", lambda name, tables: nullcontext({"rates": sketch()})
    )
    store_tables(tmp_path, "rates", headline, seeds=2)
    (tmp_path / "figures").write_text("a file")
    assert main(["rates", "--out", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "figures: cannot be used as results folder: [Errno 17] File exists" in message
    assert message.count("\n") == 1


@pytest.fixture
def small_files():
    """small_files(bytes): no file of this process grows beyond it, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def pictures(folder):
    return {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}


def test_pictures_that_cannot_be_written_leave_the_old_ones(
    tables, tmp_path, small_files, monkeypatch
):
    monkeypatch.setattr(
        "motsim.figures.drawn", lambda name, tables: nullcontext({"rates": sketch()})
    )
    draw("rates", tables, tmp_path)
    before = pictures(tmp_path)
    least, most = (pick(map(len, before.values())) for pick in (min, max))
    small_files((least + most) // 2)
    with pytest.raises(StoreError, match=r"figures/rates.*bytes are free") as no:
        draw("rates", tables, tmp_path)
    assert "\n" not in str(no.value)
    assert pictures(tmp_path) == before

    def in_place(self):
        self.part = self.path
        self._stream = self.path.open("wb")

    def close(self):
        with suppress(OSError):
            self._stream.close()

    monkeypatch.setattr(TableFile, "open", in_place)  # control: halves, as they were
    monkeypatch.setattr(TableFile, "discard", close)
    with pytest.raises(StoreError):
        draw("rates", tables, tmp_path)
    after = pictures(tmp_path)
    assert any(after[name] != content for name, content in before.items())


FAILURES = {
    "nothing to draw": (TablesError("none of the 4 runs"), "no figure: none of the 4 runs"),
    "full disk": (StoreError("a.pdf: no room"), "no figure: a.pdf: no room"),
    "fonts": (RuntimeError("no\nfont"), "no figure: RuntimeError: no font"),
    "memory": (MemoryError("huge"), "no figure: MemoryError: huge"),
    "none": (None, ""),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_figure_that_fails_is_a_line_and_exit_code_1(kinds, tmp_path, capsys, monkeypatch, name):
    """The sweep is finished, and its tables are kept; the last case is the control."""
    error, words = FAILURES[name]

    def drawing(name, tables, folder):
        if error:
            raise error
        return [folder / "figures" / "probe.png"]

    monkeypatch.setattr("motsim.figures.figure_names", lambda: ["probe"])
    monkeypatch.setattr("motsim.figures.draw", drawing)
    file = tmp_path / "probe.toml"
    file.write_text("title = 'P'\nkind = 'probe'\nseeds = 4\n")
    call = [str(file), "--out", str(tmp_path), "--jobs", "1", "--progress", "quiet"]
    assert sweep(call) == (1 if error else 0)
    said = capsys.readouterr()
    assert said.err.strip().splitlines()[-1:] == ([words] if error else [])
    assert ("figure: " in said.out) == (not error)
    assert load_tables("probe", tmp_path).runs["seed"].tolist() == [0, 1, 2, 3]
    assert sweep([*call, "--no-figure"]) == 0


def test_a_table_that_lacks_what_the_figure_needs_is_a_clear_error(tables):
    without = Tables(tables.name, tables.meta, tables.main, {})
    with (
        pytest.raises(TablesError, match=r"not what its figure needs \(KeyError: 'curve'\)"),
        drawn("rates", without),
    ):
        pass


def test_a_mistake_of_the_caller_is_not_hidden(tables):
    with pytest.raises(RuntimeError, match="mine"), drawn("rates", tables):
        raise RuntimeError("mine")


# --- in a page ------------------------------------------------------------------------------------


def sketch():
    figure = Figure(figsize=(3, 2))
    left, right = figure.subplots(1, 2)
    left.plot([1, 2, 3], [1, 10, 100], "o-", label="a law")
    left.set(yscale="log", ylabel="loss", xlabel=r"$\eta_r$", title="one")
    left.legend()
    image = right.imshow([[0, 1], [1, 0]])
    figure.colorbar(image, ax=right, label="share")
    figure.supxlabel("3 seeds")
    return figure


def test_two_figures_of_a_page_share_no_id_and_refer_to_their_own():
    pages = [inline_svg(sketch(), name, "title") for name in ("a", "b")]
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in pages]
    assert ids[0]
    assert not ids[0] & ids[1]
    for found, text in zip(ids, pages, strict=True):
        used = {*re.findall(r"url\(#([^)]+)\)", text), *re.findall(r'href="#([^"]+)"', text)}
        assert used
        assert used <= found
    assert pages[0].replace("figure-a-", "figure-b-") == pages[1]  # same figure, same text


def test_a_figure_of_a_page_is_an_image_with_words_and_no_style_of_its_own():
    root = ET.fromstring(inline_svg(sketch(), "a", "Figure a"))
    assert root.get("role") == "img"
    by_id = {element.get("id"): element.text for element in root.iter()}
    assert by_id[root.get("aria-labelledby")] == "Figure a"
    assert by_id[root.get("aria-describedby")] == alternative(sketch())
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "text" in tags  # not outlines
    assert not tags & {"style", "metadata", "script"}


def test_the_text_alternative_says_what_is_seen():
    assert alternative(sketch()) == (
        "2 panels. Panel 1, one, across: eta_r, up: loss (logarithmic), drawn: a law. Panel 2."
        " Color: share. Under it: 3 seeds."
    )


def test_a_name_without_tables_is_said(tmp_path, capsys):
    store_mine(tmp_path)
    assert main(["min", "--out", str(tmp_path)]) == 2
    assert "unknown figure 'min'" in capsys.readouterr().err
    assert main(["mine", "--out", str(tmp_path)]) == 2  # there, and nothing to draw
    assert "mine holds no T(eps) above 0 steps and no curve to draw" in capsys.readouterr().err


def test_the_picture_of_an_own_sweep_has_a_caption(tmp_path, capsys):
    def result(cell):
        if cell.labels["seed"] == 2:
            return Result("diverged", {"num_steps": 3})
        return Result("done", {"x": 0.5}, {"curve": {"step": [1, 2], "loss": [0.5, 0.25]}})

    (tmp_path / "mine.toml").write_text(
        "title = 'How 50 % fall'\nseeds = 3\n[fixed]\nnum_classes = 2\n[grid]\ndim = [6, 8]\n"
    )
    store_tables(tmp_path, tmp_path / "mine.toml", result)
    assert main(["mine", "--out", str(tmp_path)]) == 0
    said = (tmp_path / "figures" / "mine.tex").read_text()
    assert r"\caption{How 50 \% fall: 6 runs by dim, 3 seeds at most, a line a run;" in said
    assert "2 that failed or diverged are not drawn." in said
    assert r"\label{fig:mine}" in said
    assert b"How 50" in (tmp_path / "figures" / "mine.pdf").read_bytes()


# --- as it goes -----------------------------------------------------------------------------------


def snapshots(steps):
    """Made-up tables of two experts that take two classes."""
    pairs = [(expert, kind) for expert in (0, 1) for kind in (0, 1)]
    head = {"case": "cubic", "seed": 0}
    rows = [
        head | {"step": step, "stage": "specialize", "expert": e, "class": k,
                "share": 0.5 if step == 0 else float(e == k),
                "alignment": 0.1 + (e == k) * step}
        for step in steps for e, k in pairs
    ]  # fmt: skip
    curve = pd.DataFrame([head | {"step": step, "loss": 1.0 / (1 + step)} for step in steps])
    both = pd.DataFrame(rows)
    others = {"routing": both, "specialization": both, "curve": curve}
    return Tables("specialization", {"labels": ["case", "seed"]}, pd.DataFrame(), others)


def test_an_animation_has_a_frame_a_snapshot_and_no_more(tmp_path):
    path = animate(snapshots([0, 3, 9]), tmp_path)
    with Image.open(path) as moving:
        assert moving.n_frames == 3
        assert moving.info["loop"] == 0
    again = write(frames(snapshots([0, 3, 9])))
    assert again == path.read_bytes()
    assert write(frames(snapshots([0, 4, 9]))) != again  # control: another run, other pictures
    with pytest.raises(TablesError, match="holds no snapshots"):
        frames(snapshots([0]))


def test_the_docs_animation_is_small():
    with Image.open(DOCS / "images" / "specialization.gif") as moving:
        assert moving.n_frames > 10
    assert (DOCS / "images" / "specialization.gif").stat().st_size < 1_000_000

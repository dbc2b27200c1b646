"""The report says it safely."""

import base64
import hashlib
import re

from matplotlib.figure import Figure

from motsim.figures.inline import inline_svg
from tests.report.report_pages import HOSTILE, section_of


def test_hostile_words_stay_words(page):
    text = page.read_text()
    assert "<script>document" not in text
    assert "<img" not in text
    said = section_of(text, "table-2")
    assert said.count("&lt;script&gt;document") >= 3  # title, case, error
    assert text.count("<script") == 1


def test_hostile_words_stay_words_in_a_figure():
    figure = Figure()
    figure.add_subplot(title=HOSTILE, xlabel="a < b & c")
    svg = inline_svg(figure, "x", HOSTILE)
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg


def test_only_the_pages_own_script_may_run(page):
    text = page.read_text()
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert f"sha256-{digest}" in policy.replace("&#39;", "'")
    assert "default-src &#39;none&#39;" in policy


def test_nothing_comes_from_the_network(page):
    text = re.sub(r"<svg.*?</svg>", "", page.read_text(), flags=re.DOTALL)
    found = re.findall(r'(?:src|href)="([^"#]+)"', text)
    outside = {link for link in found if "//" in link}
    assert outside <= {"https://arxiv.org/abs/2510.27004"}
    assert "@import" not in text
    assert "url(" not in text

"""A browser shows the report well: legible, sortable, by keyboard, on paper."""

import base64
import re
from collections import defaultdict

import pytest
from matplotlib.figure import Figure

from motsim.claims import Finding, claim_module, claim_names
from motsim.claims import _recorded as recorded
from motsim.claims._assumptions import assumptions
from motsim.claims._sentence import sentence
from motsim.claims._words import words_of
from motsim.figures.inline import inline_svg
from motsim.report.page import render
from motsim.report.sections import Picture, Section
from tests.report.page_checks import (
    bad_ids,
    chromium,
    console_errors,
    emulate,
    too_faint,
    too_small,
    too_wide,
)

FAILING = [
    "mot-squared-deep",
    "mot-linear-squared-deep",
    "mot-logistic",
    "single-16-squared-deep",
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def shown(browser, page):
    emulate(browser)
    console_errors(browser)  # forget those of other pages
    browser.get(page.as_uri())
    return browser


BROKEN = """<!doctype html><meta name="viewport" content="width=device-width">
<style>body {background: #fff} @media (prefers-color-scheme: dark) {body {background: #333}}</style>
<p id="a" style="color: #888">faint</p><p id="a" style="font-size: 10px">small</p>
<div style="width: 2000px">wide</div>
<svg viewBox="0 0 500 100" width="300"><text x="0" y="20" style="font-size: 8px">drawn</text></svg>
<a href="#b">nowhere</a><script>throw new Error("on purpose")</script>"""


def test_the_checks_see_a_broken_page(browser, tmp_path):
    """Negative control of all checks below."""
    (tmp_path / "broken.html").write_text(BROKEN)
    emulate(browser, 360)
    browser.get((tmp_path / "broken.html").as_uri())
    assert "on purpose" in console_errors(browser)[0]
    assert any("DIV" in line for line in too_wide(browser))
    assert [line for line in too_small(browser, drawn=False) if "'small' 10.0" in line]
    assert [line for line in too_small(browser, drawn=True) if "'drawn' 4.8" in line]
    assert any("'faint' 3.5" in line for line in too_faint(browser))
    emulate(browser, 360, "dark")
    assert any("'wide' 1.6" in line for line in too_faint(browser))  # black on dark gray
    assert bad_ids(browser) == ["twice: a", "nowhere: b"]


def test_no_errors_and_sound_ids(shown):
    assert console_errors(shown) == []
    assert bad_ids(shown) == []
    assert shown.title.startswith("motsim report: 8 hold")  # not broken into


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everything_is_legible(shown, width, scheme):
    emulate(shown, width, scheme)
    shown.refresh()
    assert too_wide(shown) == []
    assert too_faint(shown) == []
    assert too_small(shown, drawn=False) == []
    if width < 1000:
        assert too_small(shown, drawn=True)  # fitted to the width, until it is enlarged
        for button in shown.find_elements("css selector", "button.enlarge"):
            button.click()
        assert too_wide(shown) == []
    assert too_small(shown) == []


def test_without_its_script_the_page_shows_all(browser, page, tmp_path):
    text = re.sub(r"<script>.*?</script>", "", page.read_text(), flags=re.DOTALL)
    (tmp_path / "plain.html").write_text(text)
    emulate(browser, 360)
    browser.get((tmp_path / "plain.html").as_uri())
    assert too_small(browser) == []
    assert too_wide(browser) == []
    assert not browser.find_element("tag name", "form").is_displayed()
    assert len(column(browser, "case")) == 13


def column(browser, name):
    """Seen texts of a column of the table of all findings."""
    cells = browser.find_elements("css selector", f"table.sortable td.{name}")
    return [cell.text for cell in cells if cell.is_displayed()]


def head(browser, name):
    heads = browser.find_elements("css selector", "table.sortable thead th")
    return next(each for each in heads if each.text.startswith(name))


def test_sorting_up_down_by_number_and_by_word(shown):
    unsorted = column(shown, "case")
    value = head(shown, "Value")
    button = value.find_element("tag name", "button")
    button.click()
    assert value.get_attribute("aria-sort") == "ascending"
    script = """return [...document.querySelectorAll("table.sortable td.number")].map(
        (cell) => cell.dataset.sort === "" ? null : Number(cell.dataset.sort))"""
    up = shown.execute_script(script)
    numbers = [number for number in up if number is not None]
    assert up[-1] is None  # no number goes last
    assert numbers == sorted(numbers)
    assert max(numbers) > 10 > 1 > min(numbers)  # where the order of words is another
    button.click()
    assert value.get_attribute("aria-sort") == "descending"
    down = shown.execute_script(script)
    assert down == [*reversed(numbers), None]
    case = head(shown, "Case")
    case.find_element("tag name", "button").click()
    assert value.get_attribute("aria-sort") == "none"
    assert (
        column(shown, "case") == sorted(unsorted, key=lambda c: c.replace("16", "99")) != unsorted
    )


def test_filtering_by_verdict_claim_and_text(shown):
    from selenium.webdriver.support.select import Select

    def said():
        return shown.find_element("tag name", "output").text

    assert said() == "13 of 13 findings"
    Select(shown.find_element("name", "verdict")).select_by_visible_text("fails")
    assert column(shown, "case") == FAILING
    assert said() == "4 of 13 findings"
    shown.find_element("css selector", "button[type=reset]").click()
    shown.find_element("name", "text").send_keys("SINGLE logistic")
    assert len(column(shown, "case")) == 3
    Select(shown.find_element("name", "recorded")).select_by_visible_text("not as recorded")
    assert column(shown, "case") == []
    assert said() == "0 of 13 findings"


def test_the_address_holds_what_is_filtered_and_sorted(shown, page):
    from selenium.webdriver.support.select import Select

    Select(shown.find_element("name", "verdict")).select_by_visible_text("fails")
    shown.find_element("name", "text").send_keys("mot deep")
    for _ in range(2):
        head(shown, "Case").find_element("tag name", "button").click()
    address, seen = shown.current_url, column(shown, "case")
    assert address.endswith("#findings?verdict=fails&text=mot+deep&sort=Case&down=1")
    shown.get("about:blank")
    shown.get(page.as_uri())
    assert len(column(shown, "case")) == 13  # control: without it, all of them
    shown.get("about:blank")
    shown.get(address)
    assert column(shown, "case") == seen == ["mot-squared-deep", "mot-linear-squared-deep"]
    assert head(shown, "Case").get_attribute("aria-sort") == "descending"
    shown.find_element("css selector", "button[type=reset]").click()
    shown.execute_async_script("setTimeout(arguments[0], 50)")
    assert shown.current_url.endswith("#findings?sort=Case&down=1")
    assert console_errors(shown) == []


def test_figures_are_dark_on_a_dark_page(shown):
    def ground_and_ink():
        return shown.execute_script("""const box = document.querySelector(".picture");
            return [getComputedStyle(box).backgroundColor,
                    getComputedStyle(box.querySelector("svg text")).fill]""")

    light = ground_and_ink()
    emulate(shown, scheme="dark")
    assert light == ["rgb(255, 255, 255)", "rgb(38, 38, 38)"]
    assert ground_and_ink() == ["rgb(29, 32, 36)", "rgb(230, 230, 230)"]
    emulate(shown, 794, scheme="dark", media="print")  # paper is white
    assert ground_and_ink() == light


def pages(browser):
    document = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    return len(re.findall(rb"/Type\s*/Page[^s]", base64.b64decode(document["data"])))


def test_all_claims_print_on_fewer_than_thirty_pages(browser, tmp_path):
    """Made-up findings, as many and as long as those of the quick tier, with a figure each."""
    figure = Figure(figsize=(7, 2.6))
    figure.add_subplot(xlabel="x").plot([1, 2])
    svg = inline_svg(figure, "x", "x")
    rows = defaultdict(list)
    for row in recorded.rows():
        words = f"measured / derived = 1.004 [1.004, 1.014] {'in runs ' * (len(row.case) % 4)}"
        rows[row.claim].append(
            Finding(row.case, "T = a + b log(1/eps)", words, row.verdict, "e", expected=row.verdict)
        )
    sections = []
    for name in claim_names():
        module = claim_module(name)
        sections.append(
            Section(
                name,
                "",
                module.CLAIM,
                tuple(rows[name]),
                sentence(rows[name], words_of(module)),
                assumptions(module.__doc__),
                pictures=(Picture(name, svg, module.__doc__[:90]),),
            )
        )
    text = render(sections)
    (tmp_path / "all.html").write_text(text)
    emulate(browser, 794, media="print")
    browser.get((tmp_path / "all.html").as_uri())
    assert pages(browser) < 30
    # control: as on a screen, the same page takes more
    (tmp_path / "wide.html").write_text(text.replace("@media print {", "@media tty {"))
    browser.get((tmp_path / "wide.html").as_uri())
    assert pages(browser) > 40


def test_the_keyboard_suffices(shown):
    from selenium.webdriver import ActionChains, Keys

    def press(*keys):
        ActionChains(shown).send_keys(*keys).perform()

    def here(script="return document.activeElement.textContent.trim()"):
        return shown.execute_script(script)

    press(Keys.TAB)
    assert here() == "Skip to the findings"
    press(Keys.ENTER)
    assert here("return document.activeElement.id") == "main"
    seen = []
    for _ in range(60):
        press(Keys.TAB)
        seen.append(
            here("return document.activeElement.tagName + document.activeElement.className")
        )
        outline = here("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen
        if here("return document.activeElement.name || ''") == "verdict":
            press("f")
            assert column(shown, "case") == FAILING
            press("a")
        if here() == "Value":
            press(Keys.SPACE)
            assert head(shown, "Value").get_attribute("aria-sort") == "ascending"
        if seen[-1].startswith("SUMMARY"):
            press(Keys.ENTER)
            assert here("return document.activeElement.parentElement.open")
            break
    assert {"SELECT", "INPUT", "BUTTON", "DIVscroll tall", "DIVpicture"} <= set(seen)


def test_it_prints_whole(shown):
    emulate(shown, 794, media="print")
    assert too_wide(shown) == []
    assert too_faint(shown) == []
    assert not shown.find_element("tag name", "form").is_displayed()
    rows = shown.find_elements("css selector", ".findings tbody tr")
    assert sum(row.is_displayed() for row in rows) == 13  # once: not among all findings too
    assert column(shown, "case") == []
    assert shown.execute_cdp_cmd("Page.printToPDF", {})["data"].startswith("JVBERi")  # %PDF

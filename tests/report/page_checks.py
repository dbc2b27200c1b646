"""What a page must be in a browser: readable, within its width, without errors. Headless Chromium.

Each check returns what is wrong, an empty list where all is well, so that a broken page can show
that the check sees it.
"""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

MEASURE = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


@contextmanager
def chromium(folder):
    """Yield a headless browser with a profile of its own; skip where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    driver = shutil.which("chromedriver")
    if not found or not driver:
        pytest.skip("no Chromium and chromedriver here (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for flag in (*FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.set_page_load_timeout(60)
    try:
        yield browser
    finally:
        browser.quit()


def emulate(browser, width=1280, scheme="light", media="screen", height=900):
    """Set the width of the window in CSS pixels, the color scheme and the medium."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def measure(browser, function):
    """Call a function of page_checks.js in the page."""
    return browser.execute_script(f"{MEASURE}\nreturn {function}()")


def console_errors(browser):
    """Messages of the console since the last call."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def too_wide(browser):
    """Elements that reach over the right edge, unless they scroll in a box of their own."""
    return measure(browser, "overflow")


def too_small(browser, least=12.0, drawn=None):
    """Seen text under `least` pixels on the screen; `drawn` keeps text of figures, or the other."""
    texts = measure(browser, "texts")
    assert texts, "the page shows no text"
    if drawn is not None:
        texts = [text for text in texts if text["drawn"] is drawn]
    return [f"{t['text']!r} {t['size']:.1f}" for t in texts if t["size"] < least - 0.05]


def too_faint(browser, least=4.5):
    """Seen text with less contrast than `least` (WCAG 2, relative luminance)."""
    texts = measure(browser, "texts")
    return [f"{t['text']!r} {t['contrast']:.2f}" for t in texts if t["contrast"] < least]


def bad_ids(browser):
    """Ids that stand twice, and references to ids that stand nowhere."""
    return measure(browser, "ids")

"""Pictures of the README: there, and absolute once the project says where it is published.

A package index shows a README away from its files, so that only absolute addresses of pictures work
there. The project has no public address yet: relative ones are right until it has.
"""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def wrong(readme, urls):
    """Addresses of pictures that are not shown: here, or on an index once there is a repository."""
    published = {name.lower() for name in urls} & {"repository", "source", "homepage"}
    found = re.findall(r"!\[[^\]]*\]\(([^)\s]+)", readme)
    return [
        address
        for address in found
        if (published or not (ROOT / address).is_file()) and not address.startswith("https://")
    ]


def test_the_pictures_show_where_the_readme_is_read():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "![" in readme
    assert wrong(readme, project.get("urls", {})) == []


@pytest.mark.parametrize(
    ("address", "urls", "seen"),
    [
        ("docs/images/rates.png", {"Paper": "https://a"}, False),
        ("docs/images/rates.png", {"Repository": "https://a"}, True),
        ("docs/images/none.png", {}, True),
        ("https://a/rates.png", {"Repository": "https://a"}, False),
    ],
)
def test_control_what_does_not_show_is_seen(address, urls, seen):
    assert wrong(f"![a\nb]({address})", urls) == [address] * seen

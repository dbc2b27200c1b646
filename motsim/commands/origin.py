"""Where this motsim was installed from, as a requirement that pip installs elsewhere."""

import json
import re
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

__all__ = ["UNKNOWN", "requirement"]

#: What stands for a repository and a commit that are not known here.
UNKNOWN = ("OWNER", "COMMIT")


def requirement() -> str:
    """Return a version of an index, or a commit of a repository; of what is unknown its name."""
    try:
        found = distribution("motsim")
    except PackageNotFoundError:
        return _of_folder()
    if not Path(__file__).is_relative_to(str(found.locate_file("motsim"))):
        return _of_folder()  # editable, or beside what is installed
    text = found.read_text("direct_url.json")  # PEP 610: absent if it came from an index
    if text is None:
        return f"motsim=={found.version}"
    origin = json.loads(text)
    commit = origin.get("vcs_info", {}).get("commit_id")
    return _named(origin.get("url", ""), commit) if commit else _of_folder()


def _of_folder() -> str:
    """Return what git knows of the folder that motsim is imported from."""
    return _named(_git("remote", "get-url", "origin"), _git("rev-parse", "HEAD"))


def _named(url: str, commit: str) -> str:
    owner, unknown = UNKNOWN
    return f"git+{_public(url) or f'https://github.com/{owner}/motsim'}@{commit or unknown}"


def _public(url: str) -> str:
    """Return a repository's address as anyone can call it, without names and passwords.

    >>> _public("git@example.org:group/motsim.git")
    'https://example.org/group/motsim.git'
    >>> _public("https://me:secret@example.org/group/motsim")
    'https://example.org/group/motsim'
    >>> _public("/home/me/motsim")
    ''
    """
    if found := re.fullmatch(r"[\w.-]+@([\w.-]+):([\w./-]+)", url):
        return f"https://{found[1]}/{found[2]}"
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http", "ssh") or not parts.hostname:
        return ""
    scheme = "https" if parts.scheme == "ssh" else parts.scheme
    return urlunsplit((scheme, parts.hostname, parts.path, "", ""))


def _git(*words: str) -> str:
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return ""  # installed: a repository around it is someone else's
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

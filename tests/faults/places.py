"""Places that share a folder: name spaces of their own, as containers have, with a host name."""

import shutil
import subprocess
from functools import cache

import pytest

UNSHARE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
UNSHARE += ["--mount-proc", "--uts"]


@cache
def refused():
    """Why there are no name spaces here; nothing where there are."""
    if shutil.which("unshare") is None:
        return "there is no unshare"
    done = subprocess.run([*UNSHARE, "hostname", "x"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def place(host):
    """Words in front of a command that put it into name spaces of its own, as process 1."""
    return [*UNSHARE, "sh", "-c", 'hostname "$0" && exec "$@"', host]


needs_places = pytest.mark.skipif(bool(refused()), reason=f"no name spaces here: {refused()}")

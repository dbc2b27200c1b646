"""A package of two small kernels around motsim's own kernel cache, and a process that uses it.

Usage: python mini.py FOLDER SIGNATURES [plain] [first|second]

`plain` is numba's cache as it comes. `first` and `second` are two processes that save at once, in
the worst order.
"""

import hashlib
import shutil
import sys
import time
from pathlib import Path

SOURCES = {
    "__init__.py": "",
    "vectors/__init__.py": "",
    "mixture/__init__.py": "",
    "mixture/kernels/__init__.py": (
        "from mini.vectors.compiling import kernel_cache\n"
        "with kernel_cache():\n    from mini.mixture.kernels.outer import outer\n"
    ),
    "mixture/kernels/outer.py": (
        "import numba\nfrom mini.mixture.kernels.inner import inner\n"
        "@numba.njit(cache=True)\ndef outer(x):\n"
        "    total = x[0] * 0\n"
        "    for value in x:\n        total += inner(value)\n"
        "    return total\n"
    ),
    "mixture/kernels/inner.py": (
        "import numba\n@numba.njit(cache=True)\ndef inner(x):\n    return 3 * x + 1\n"
    ),
}
PLAIN = "from contextlib import nullcontext as kernel_cache\n"


def make(folder, plain=False):
    """Write the package `mini` into a folder."""
    import motsim.vectors.compiling

    for name, text in SOURCES.items():
        path = folder / "mini" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    place = folder / "mini" / "vectors" / "compiling.py"
    if plain:
        place.write_text(PLAIN)
    else:
        shutil.copy(motsim.vectors.compiling.__file__, place)


def wait(path):
    """Until another process has made a file."""
    deadline = time.monotonic() + 60
    while not path.exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"{path} never came")
        time.sleep(0.002)


def worst_order(folder, role):
    """Both read the index; the second writes index and data, then the first its data.

    With motsim's cache there is no index: the same waits stand around its one write.
    """
    from numba.core.caching import IndexDataCacheFile as Theirs

    def step(name):
        return folder / f"step-{name}"

    def meet():
        step(f"{role}-here").touch()
        wait(step("second-here" if role == "first" else "first-here"))

    load, save_index, save_data = Theirs._load_index, Theirs._save_index, Theirs._save_data
    save = Theirs.save
    inside = []

    def slow_load(self):
        found = load(self)
        if inside and "outer" in self._index_name:
            meet()
        return found

    def slow_index(self, overloads):
        if "outer" in self._index_name and role == "second":
            wait(step("index-first"))
        save_index(self, overloads)
        if "outer" in self._index_name and role == "first":
            step("index-first").touch()

    def slow_data(self, name, data):
        if "outer" in name and role == "first":
            wait(step("data-second"))
        save_data(self, name, data)
        if "outer" in name and role == "second":
            step("data-second").touch()

    def slow_save(self, key, data):
        inside.append(1)
        save(self, key, data)
        inside.pop()

    Theirs._load_index, Theirs._save_index = slow_load, slow_index
    Theirs._save_data, Theirs.save = slow_data, slow_save
    import mini.vectors.compiling

    ours = getattr(mini.vectors.compiling, "_SafeFiles", None)
    if ours:
        mini.vectors.compiling.Turn.taken = lambda turn: True  # as where there are no locks
        safe = ours.save

        def together(self, key, data):
            if "outer" in self._base:
                meet()
            safe(self, key, data)

        ours.save = together


def main(folder, signatures, *words):
    import numpy as np

    sys.path.insert(0, str(folder))
    role = next((word for word in words if word in ("first", "second")), None)
    if role:
        worst_order(folder, role)
    from mini.mixture.kernels import outer

    arrays = {"int": np.arange(9), "float": np.arange(9) / 8, "single": np.arange(9, dtype="f4")}
    for name in signatures.split(","):
        value = np.asarray(outer(arrays[name]))
        print(name, value.dtype, hashlib.sha256(value.tobytes()).hexdigest()[:16], value)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

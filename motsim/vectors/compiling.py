"""Where compiled kernels live: a folder keyed by their sources, numba, Python and the CPU.

numba's own cache does not notice a change in a callee of another file, so the key follows all
kernel sources: a changed kernel gets a new folder and is compiled afresh. Its files are numbered,
so that two processes that compile two signatures at once can write one file; here a file is named
by its signature, and carries a checksum: a damaged one is compiled again, with one warning.
Of several processes one compiles a signature, and the others load what it wrote.
"""

import atexit
import contextlib
import hashlib
import logging
import os
import pickle
import platform
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import caching, dispatcher, serialize

from motsim.vectors.turns import Turn

__all__ = [
    "cache_folder", "compile_if_free", "compiled_here", "kernel", "kernel_cache", "rebuild",
]  # fmt: skip

PACKAGE = Path(__file__).parents[1]
DIGEST_SIZE = 16
LEVEL = 1
SHARED = stat.S_IWGRP | stat.S_IWOTH
#: Every module with kernels, or with what they are made of.
SOURCES = (
    "vectors/*.py", "mixture/kernels/*.py", "minibatch/*.py", "rehearsal/kernels.py",
    "rehearsal/layout.py", "rehearsal/triangular.py",
)  # fmt: skip
log = logging.getLogger(__name__)
#: Of each function turns of what is being compiled; only touched under numba's compiler lock.
_turns: dict[Callable[..., Any], list[Turn]] = {}


class _BusyError(Exception):
    """Another process compiles it."""


@cache
def cache_folder() -> Path:
    """Folder of this source's compiled kernels (``MOTSIM_CACHE_DIR`` moves its parent)."""
    digest = hashlib.blake2b(digest_size=10)
    sources = (path for pattern in SOURCES for path in PACKAGE.glob(pattern))
    for source in sorted(sources):
        digest.update(source.relative_to(PACKAGE).as_posix().encode())
        digest.update(source.read_bytes())
    build = [numba.__version__, platform.python_version(), platform.machine(), str(PACKAGE)]
    build.append(os.environ.get("NUMBA_CPU_NAME") or _host_cpu())
    digest.update("|".join(build).encode())
    parent = os.environ.get("MOTSIM_CACHE_DIR")
    try:
        base = Path(parent) if parent else Path.home() / ".cache" / "motsim"
        folder = base / digest.hexdigest()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_private(folder):
            return folder
        why = f"{folder} may be written by others"
    except (OSError, RuntimeError) as error:  # no HOME, and nobody in the list of users
        why = " ".join(str(error).split())
    folder = _temporary(why) / digest.hexdigest()
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def is_private(folder: Path) -> bool:
    """Whether nobody else can put files there: they are unpickled, which may run code."""
    if not hasattr(os, "getuid"):
        return True
    seen = folder.stat()
    return seen.st_uid in (os.getuid(), 0) and not seen.st_mode & SHARED


def _temporary(why: str) -> Path:
    """Make a folder below the temporary one that was ours before, or a fresh one; with a warning.

    Whoever comes first may have made the one of a name that all can guess.
    """
    folder = Path(tempfile.gettempdir()) / f"motsim-{getattr(os, 'getuid', int)()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        seen = folder.lstat()
        ours = stat.S_ISDIR(seen.st_mode) and is_private(folder) and seen.st_mode & 0o777 == 0o700
    except OSError:
        ours = False
    if not ours:
        folder = Path(tempfile.mkdtemp(prefix="motsim-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["MOTSIM_CACHE_DIR"] = str(folder)  # workers do not compile, or warn, again
    log.warning(
        "compiled kernels are kept in %s (%s); name a folder of your own with MOTSIM_CACHE_DIR",
        folder, why,
    )  # fmt: skip
    return folder


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function with numba, cached in `cache_folder`; a decorator."""
    with kernel_cache():
        return numba.njit(cache=True, error_model="numpy")(function)


@contextmanager
def kernel_cache() -> Iterator[None]:
    """Have numba cache in `cache_folder`, and compile in less time, what is defined meanwhile."""
    config: Any = numba.config
    patched: Any = dispatcher
    before = config.CACHE_DIR, patched.FunctionCache, patched._FunctionCompiler
    config.CACHE_DIR = str(cache_folder())
    patched.FunctionCache, patched._FunctionCompiler = _SafeCache, _QuickCompiler
    try:
        yield
    finally:
        config.CACHE_DIR, patched.FunctionCache, patched._FunctionCompiler = before


class _QuickCompiler(dispatcher._FunctionCompiler):  # type: ignore[name-defined]
    """numba's compiler of one function, at optimization level 1.

    The kernels are vectors by their source: level 3 gives the same bits and next to no more speed,
    and takes half as long again.
    """

    def _compile_cached(self, *arguments: Any) -> Any:
        done = False
        try:
            done, result = super()._compile_cached(*arguments)
            return done, result
        finally:
            if not done:  # nothing will be saved
                _end_turn(self.py_func, made=False)

    def _compile_core(self, *arguments: Any) -> Any:
        config: Any = numba.config
        before = config.OPT
        config.OPT = type(before)(min(before, LEVEL))
        try:
            return super()._compile_core(*arguments)
        finally:
            config.OPT = before


class _SafeCache(caching.FunctionCache):
    """numba's cache of one function, over files that are safe."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        theirs: Any = self._cache_file
        base = theirs._index_name.removesuffix(".nbi")
        self._cache_file: Any = _SafeFiles(self.cache_path, base, theirs._source_stamp)
        self.waits = True

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what is stored, now or when the process that compiles it has ended."""
        found = super().load_overload(sig, target_context)
        if found is not None or not self._enabled:
            return found
        turn = Turn(self._path(sig, target_context).with_suffix(".turn"))
        if self.waits:
            turn.wait()
        elif not turn.taken():
            raise _BusyError
        found = super().load_overload(sig, target_context)
        if found is None:
            _turns.setdefault(self._py_func, []).append(turn)
        else:
            turn.end(made=True)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store what was compiled, and end the turn."""
        made = False
        try:
            super().save_overload(sig, data)
            made = True
        finally:
            _end_turn(self._py_func, made=made)

    def holds(self, sig: Any, target_context: Any) -> bool:
        """Whether something is stored, sound or not."""
        return self._path(sig, target_context).exists()

    def _path(self, sig: Any, target_context: Any) -> Path:
        found: Path = self._cache_file.path(self._index_key(sig, target_context.codegen()))
        return found


def _end_turn(function: Callable[..., Any], *, made: bool) -> None:
    if turns := _turns.get(function):
        turns.pop().end(made=made)


def compile_if_free(function: Any, signature: tuple[Any, ...]) -> None:
    """Compile a kernel unless that is done, or another process is about it."""
    cache, context = function._cache, function.targetctx
    context.refresh()
    if signature in function.overloads or cache.holds(signature, context):
        return
    cache.waits = False
    try:
        function.compile(signature)
    except _BusyError:
        pass
    finally:
        cache.waits = True


class _SafeFiles:
    """One file a signature, written aside and replaced, each with its checksum in front."""

    def __init__(self, folder: str, base: str, stamp: object) -> None:
        self._folder, self._base, self._stamp = Path(folder), base, stamp

    def path(self, key: object) -> Path:
        """Return the file of a signature."""
        text = repr((numba.__version__, self._stamp, key))
        digest = hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
        return self._folder / f"{self._base}.{digest}.nbc"

    def save(self, key: object, data: object) -> None:
        """Write one compiled function; a folder that cannot be written only costs time."""
        content = serialize.dumps((key, data))
        with contextlib.suppress(OSError):
            handle, part = tempfile.mkstemp(dir=self._folder, prefix=".part-")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(_checksum(content) + content)
                os.replace(part, self.path(key))
            except BaseException:
                Path(part).unlink(missing_ok=True)
                raise

    def load(self, key: object) -> Any:
        """Return one compiled function; None if there is none that is sound."""
        path = self.path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        checksum, content = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
        if checksum != _checksum(content):
            _warn(path.parent.parent)
            return None
        found, data = pickle.loads(content)
        return data if found == key else None

    def flush(self) -> None:
        """Forget what is stored of this function."""
        for path in self._folder.glob(f"{self._base}.*.nbc"):
            path.unlink(missing_ok=True)


@cache
def _warn(folder: Path) -> None:
    """Warn once a process, however many files are damaged."""
    log.warning("compiled kernels in %s are damaged; they are compiled again", folder)


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest()


def compiled_here() -> bool:
    """Whether the cache folder already holds compiled kernels."""
    return any(cache_folder().rglob("*.nbc"))


def rebuild() -> None:
    """Delete this source's compiled kernels, for instance after a truncated cache file."""
    folder = cache_folder()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def _host_cpu() -> str:
    from llvmlite import binding

    return str(binding.get_host_cpu_name())

"""Python in pages: calls in spans and blocks, held against the signatures of what is there."""

import ast
import importlib
import inspect
import re
from functools import cache

import motsim

SPAN = re.compile(r"`([A-Za-z_][\w.]*\([^`\n]*\))`")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
#: Mathematics, other people's functions, a fixture, and what a reader writes.
FOREIGN = {
    "T", "O", "SeedSequence", "log", "rate_evidence", "run", "cost", "effective", "compile_kernels",
}  # fmt: skip
#: Whose `__all__` pages take names from without saying so.
HOMES = [
    "motsim", "motsim.testing", "motsim.rehearsal", "motsim.rates", "motsim.statistics.interval",
    "motsim.experiments.mixture.settings", "motsim.mixture.model", "motsim.mixture.schedule",
    "motsim.mixture.training",
]  # fmt: skip


@cache
def known():
    """Name -> what is called that in the rooms pages speak of."""
    found = {}
    for home in HOMES:
        module = importlib.import_module(home)
        for name in getattr(module, "__all__", ()):
            found.setdefault(name, []).append(getattr(module, name))
    return found


def _fits(function, call):
    """Whether a call has parameters that there are; an ellipsis stands for any."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return True
    by_name = {p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY}
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    many = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    given = [word.arg for word in call.keywords if word.arg]
    return set(given) <= by_name and (many or len(call.args) <= len(places))


def _callables(name, imported):
    if name in imported:
        return [imported[name]]
    head, _, rest = name.partition(".")
    if rest and head == "motsim":
        return [getattr(motsim, rest)] if hasattr(motsim, rest) else []
    return known().get(name, [])


def broken_spans(text):
    """Calls in spans of code of what is not there, or with parameters that it has not."""
    for span in SPAN.findall(text):
        try:
            call = ast.parse(re.sub(r"\.\.\., (?=\w+=)", "", span), mode="eval").body
        except SyntaxError:
            continue  # `T(log 1/eps)`: no Python
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func)
        of_a_value = "." in name and not name.startswith("motsim.")  # `interval.above(0.5)`
        if name in FOREIGN or of_a_value:
            continue
        found = _callables(name, {})
        if not any(_fits(one, call) for one in found):
            yield span


def broken_blocks(text):
    """Names that blocks import from motsim and are not there; calls that do not fit them."""
    for block in BLOCK.findall(text):
        imported, tree = {}, ast.parse(block)
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("motsim"):
                continue
            module = importlib.import_module(node.module)
            for alias in node.names:
                if hasattr(module, alias.name):
                    imported[alias.asname or alias.name] = getattr(module, alias.name)
                else:
                    yield f"{node.module}.{alias.name}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                found = _callables(name, imported) if name in imported else []
                if name.startswith("motsim."):
                    found = _callables(name, {})
                    if not found:
                        yield name
                if found and not any(_fits(one, node) for one in found):
                    yield ast.unparse(node)

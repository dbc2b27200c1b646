"""Which lines of kernels run: found by their decorators, noted by the interpreter's trace."""

import ast
import sys
from contextlib import contextmanager

#: How a function of a kernel is decorated, but for `numba.njit`.
DECORATORS = {
    "cached", "inlined", "inlined_whole", "internal", "kernel", "register_jitable", "written_out",
}  # fmt: skip


def is_kernel(function):
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call):
            decorator = decorator.func
        if ast.unparse(decorator) in {*DECORATORS, "numba.njit"}:
            return True
    return False


def _of_code(code):
    """Lines of a function that hold instructions; the first is its head."""
    return {line for _, _, line in code.co_lines() if line} - {code.co_firstlineno}


def kernel_lines(path):
    """Lines of each kernel of a file: name -> lines of its body."""
    text = path.read_text("utf-8")
    heads = {
        node.name: node for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and is_kernel(node)
    }  # fmt: skip
    whole = compile(text, str(path), "exec")
    codes = {code.co_name: code for code in whole.co_consts if hasattr(code, "co_lines")}
    return {
        name: {line for line in _of_code(codes[name]) if line >= node.body[0].lineno}
        for name, node in heads.items()
    }


@contextmanager
def traced(paths):
    """Note the lines that run in some files: a set of (path, line), filled meanwhile."""
    files, seen, left = {str(path) for path in paths}, set(), {}

    def within(frame, event, argument):
        if event == "line":
            code, line = frame.f_code, frame.f_lineno
            if line in left[code]:
                left[code].discard(line)
                seen.add((code.co_filename, line))
        return within

    def entered(frame, event, argument):
        code = frame.f_code
        if code.co_filename not in files:
            return None
        lines = left.setdefault(code, _of_code(code))
        return within if lines else None  # a function all of whose lines ran is not followed

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        yield seen
    finally:
        sys.settrace(before)


def missed(paths, seen):
    """Lines of kernels that did not run: (path, name of the kernel) -> lines."""
    found = {}
    for path in paths:
        for name, lines in kernel_lines(path).items():
            rest = sorted(line for line in lines if (str(path), line) not in seen)
            if rest:
                found[path, name] = rest
    return found

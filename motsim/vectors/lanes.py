"""Eight points at a time: a numba type for eight float64, and the operations on it.

One vector register (or two, or four) holds eight points, whatever the processor; sums over points
have a fixed order, so results do not depend on what a compiler makes of a loop. Sixteen numbers are
the eights of two blocks; an operation takes both, and eight beside sixteen are those of each.
"""

import operator

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.extending import intrinsic, overload

WIDTH = 8
#: No reference counts: kernels make no arrays, and their callers hold those they are given. To
#: count all arrays of a call takes longer than many a kernel.
_options = {"error_model": "numpy", "_nrt": False}
_unwrapped = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
#: For functions that Python calls; their compiled form is kept on disk.
cached = numba.njit(cache=True, **_options)
#: For functions that only compiled ones call: compiled once, not inlined by force.
internal = numba.njit(**_options, **_unwrapped)
#: For functions that exist only inside others: inlined, and not callable from Python.
inlined = numba.njit(forceinline=True, **_options, **_unwrapped)
#: The same before types are known, so that branches on constants disappear.
written_out = numba.njit(inline="always", **_options)


def vector(width):
    """LLVM's type."""
    return ir.VectorType(ir.DoubleType(), width)


class Lanes(types.Type):
    """Eight float64, or sixteen: those of two blocks."""

    def __init__(self, width=WIDTH):
        super().__init__(name=f"Lanes{width}")
        self.width = width


lanes, twins = Lanes(), Lanes(2 * WIDTH)


@register_default(Lanes)
class LanesModel(models.PrimitiveModel):
    """How numba holds them: an LLVM vector."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, vector(fe_type.width))


def picked(builder, a, b, chosen):
    """LLVM vector of the chosen numbers of two vectors."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(chosen)), list(chosen))
    return builder.shuffle_vector(a, b, mask)


def halves(builder, value):
    """The two LLVM vectors of half the width."""
    half = value.type.count // 2
    return (picked(builder, value, value, range(first, first + half)) for first in (0, half))


def _widened(builder, values):
    """All as wide as the widest: eight numbers are those of either block."""
    width = max(v.type.count for v in values)
    return [
        v if v.type.count == width else picked(builder, v, v, [*range(WIDTH), *range(WIDTH)])
        for v in values
    ]


def _widest(*kinds):
    return max(kinds, key=lambda kind: kind.width)


@intrinsic
def broadcast(typing_context, number):
    """The same number eight times."""

    def codegen(context, builder, signature, args):
        zero, none = ir.Constant(ir.IntType(32), 0), ir.Constant(vector(WIDTH), ir.Undefined)
        return picked(builder, builder.insert_element(none, args[0], zero), none, [0] * WIDTH)

    return lanes(types.float64), codegen


@intrinsic
def broadcast_like(typing_context, number, other):
    """The same number as often as `other` has numbers."""

    def codegen(context, builder, signature, args):
        kind, zero = args[1].type, ir.Constant(ir.IntType(32), 0)
        none = ir.Constant(kind, ir.Undefined)
        return picked(builder, builder.insert_element(none, args[0], zero), none, [0] * kind.count)

    return other(types.float64, other), codegen


def _binary(name):
    @intrinsic
    def operation(typing_context, a, b):
        def codegen(context, builder, signature, args):
            return getattr(builder, name)(*_widened(builder, args))

        return _widest(a, b)(a, b), codegen

    return operation


def _comparison(operation, one):
    @intrinsic
    def select(typing_context, a, b, x, y):
        def codegen(context, builder, signature, args):
            a, b, x, y = _widened(builder, args)
            return builder.select(builder.fcmp_ordered(operation, a, b), x, y)

        return _widest(a, b, x, y)(a, b, x, y), codegen

    select.__doc__ = one
    return select


_add, _subtract, _multiply, _divide = (_binary(name) for name in ("fadd", "fsub", "fmul", "fdiv"))
select_greater = _comparison(">", "x where a > b, else y; y where one is NaN.")
select_equal = _comparison("==", "x where a == b, else y.")


def _operator(function, implementation):
    @overload(function)
    def typed(a, b):
        if isinstance(a, Lanes) and isinstance(b, Lanes):
            return lambda a, b: implementation(a, b)
        return None


_operator(operator.add, _add)
_operator(operator.sub, _subtract)
_operator(operator.mul, _multiply)
_operator(operator.truediv, _divide)


def _fma(builder, values):
    kind = values[0].type
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.v{kind.count}f64"
    )
    return builder.call(function, values)


@intrinsic
def fma(typing_context, a, b, c):
    """a * b + c with one rounding, whatever the processor."""

    def codegen(context, builder, signature, args):
        return _fma(builder, _widened(builder, args))

    return _widest(a, b, c)(a, b, c), codegen


@intrinsic
def sum_fma(typing_context, a, b, c):
    """a * b + c of eight numbers c; of two blocks the second product is added after the first."""

    def codegen(context, builder, signature, args):
        *factors, value = args
        factors = _widened(builder, factors)
        if factors[0].type.count == WIDTH:
            return _fma(builder, [*factors, value])
        for pair in zip(*(halves(builder, f) for f in factors), strict=True):
            value = _fma(builder, [*pair, value])
        return value

    return lanes(a, b, c), codegen


def _somewhere(builder, a, b):
    kind = ir.IntType(a.type.count)
    mask = builder.bitcast(builder.fcmp_unordered(">=", a, b), kind)
    return builder.icmp_unsigned("!=", mask, ir.Constant(kind, 0))


@intrinsic
def any_at_least(typing_context, a, b):
    """Whether a >= b somewhere, or one is NaN."""

    def codegen(context, builder, signature, args):
        return _somewhere(builder, *_widened(builder, args))

    return types.boolean(a, b), codegen


@intrinsic
def select_any(typing_context, a, b, x):
    """For each eight: x where a >= b somewhere, or one is NaN; else 0."""

    def codegen(context, builder, signature, args):
        def eight(a, b, x):
            return builder.select(_somewhere(builder, a, b), x, ir.Constant(x.type, [0.0] * WIDTH))

        args = _widened(builder, args)
        if args[0].type.count == WIDTH:
            return eight(*args)
        first, second = (eight(*h) for h in zip(*(halves(builder, v) for v in args), strict=True))
        return picked(builder, first, second, range(2 * WIDTH))

    return _widest(a, b, x)(a, b, x), codegen


@intrinsic
def reduce_add(typing_context, a):
    """Sum of the eight, always in the same order."""

    def codegen(context, builder, signature, args):
        value, width = args[0], WIDTH
        while width > 1:
            width //= 2
            value = builder.fadd(*halves(builder, value))
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return types.float64(lanes), codegen

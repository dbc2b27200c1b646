"""Eight points at a time: a numba type for eight float64, and the operations on it.

One vector register (or two, or four) holds eight points, whatever the processor; sums over points
have a fixed order, so results do not depend on what a compiler makes of a loop.
"""

import operator

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models, register_default
from numba.extending import intrinsic, overload

WIDTH = 8
#: For functions that exist only inside others: inlined, and not callable from Python.
inlined = numba.njit(
    error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
)
#: For functions that only compiled ones call: compiled once, not inlined by force.
internal = numba.njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
BITS = ir.VectorType(ir.IntType(64), WIDTH)


class Lanes(types.Type):
    """Eight float64."""

    def __init__(self):
        super().__init__(name="Lanes")


lanes = Lanes()


@register_default(Lanes)
class LanesModel(models.PrimitiveModel):
    """How numba holds them: an LLVM vector."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, VECTOR)


@intrinsic
def pointer(typing_context, array):
    """Address of the first number of a C-contiguous array of any shape.

    Kernels pass addresses, not arrays: numba counts references to an array at every use.
    """

    def codegen(context, builder, signature, args):
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def advance(typing_context, place, offset):
    """The address `offset` numbers on."""

    def codegen(context, builder, signature, args):
        return builder.gep(args[0], [args[1]])

    return place(place, types.intp), codegen


@intrinsic
def same_place(typing_context, a, b):
    """Whether two addresses are equal."""

    def codegen(context, builder, signature, args):
        return builder.icmp_unsigned("==", *args)

    return types.boolean(a, b), codegen


@intrinsic
def number(typing_context, place, offset):
    """The number at `offset`."""

    def codegen(context, builder, signature, args):
        return builder.load(builder.gep(args[0], [args[1]]))

    return place.dtype(place, types.intp), codegen


@intrinsic
def put(typing_context, place, offset, value):
    """Write one number to `offset`."""

    def codegen(context, builder, signature, args):
        builder.store(args[2], builder.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return types.void(place, types.intp, place.dtype), codegen


@intrinsic
def load(typing_context, place, offset):
    """Eight numbers from `offset`."""

    def codegen(context, builder, signature, args):
        value = builder.load(builder.bitcast(builder.gep(args[0], [args[1]]), VECTOR.as_pointer()))
        value.align = 8
        return value

    return lanes(place, types.intp), codegen


@intrinsic
def store(typing_context, place, offset, value):
    """Write eight numbers from `offset`."""

    def codegen(context, builder, signature, args):
        to = builder.bitcast(builder.gep(args[0], [args[1]]), VECTOR.as_pointer())
        builder.store(args[2], to).align = 8
        return context.get_dummy_value()

    return types.void(place, types.intp, lanes), codegen


@intrinsic
def splat(typing_context, number):
    """The same number eight times."""

    def codegen(context, builder, signature, args):
        zero = ir.Constant(ir.IntType(32), 0)
        one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), args[0], zero)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        return builder.shuffle_vector(one, ir.Constant(VECTOR, ir.Undefined), mask)

    return lanes(types.float64), codegen


def _binary(name):
    @intrinsic
    def operation(typing_context, a, b):
        def codegen(context, builder, signature, args):
            return getattr(builder, name)(*args)

        return lanes(lanes, lanes), codegen

    return operation


def _comparison(operation, one):
    @intrinsic
    def select(typing_context, a, b, x, y):
        def codegen(context, builder, signature, args):
            a, b, x, y = args
            return builder.select(builder.fcmp_ordered(operation, a, b), x, y)

        return lanes(lanes, lanes, lanes, lanes), codegen

    select.__doc__ = one
    return select


_add, _subtract, _multiply, _divide = (_binary(name) for name in ("fadd", "fsub", "fmul", "fdiv"))
where_greater = _comparison(">", "x where a > b, else y; y where one is NaN.")
where_equal = _comparison("==", "x where a == b, else y.")


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


@intrinsic
def fma(typing_context, a, b, c):
    """a * b + c with one rounding, whatever the processor."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{WIDTH}f64")
        return builder.call(function, args)

    return lanes(lanes, lanes, lanes), codegen


@intrinsic
def any_at_least(typing_context, a, b):
    """Whether a >= b somewhere, or one is NaN."""

    def codegen(context, builder, signature, args):
        mask = builder.bitcast(builder.fcmp_unordered(">=", *args), ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", mask, ir.Constant(ir.IntType(WIDTH), 0))

    return types.boolean(lanes, lanes), codegen


@intrinsic
def total(typing_context, a):
    """Sum of the eight, always in the same order."""

    def codegen(context, builder, signature, args):
        value, width = args[0], WIDTH
        while width > 1:
            width //= 2
            halves = [
                ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(first, first + width)))
                for first in (0, width)
            ]
            value = builder.fadd(*(builder.shuffle_vector(value, value, half) for half in halves))
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return types.float64(lanes), codegen


@inlined
def spread(place, offset):
    """The number at `offset`, eight times."""
    return splat(number(place, offset))

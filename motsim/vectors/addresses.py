"""Addresses, and what is read and written there: one number, eight, or two blocks' eights.

Kernels pass addresses, not arrays: numba counts references to an array at every use. A pair of
addresses is two blocks, taken together. Eights are float64 in registers; in memory they may be
float32, which is widened as it is read and rounded as it is written.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from motsim.vectors.lanes import WIDTH, broadcast, halves, inlined, lanes, picked, twins, vector

LINE = 64  # bytes of a line of the cache


@intrinsic
def pointer(typing_context, array):
    """Address of the first number of a C-contiguous array of any shape."""

    def codegen(context, builder, signature, args):
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def advance(typing_context, ptr, offset):
    """The address `offset` numbers on; of two addresses both."""

    def codegen(context, builder, signature, args):
        if not isinstance(ptr, types.UniTuple):
            return builder.gep(args[0], [args[1]])
        moved = [builder.gep(p, [args[1]]) for p in cgutils.unpack_tuple(builder, args[0], 2)]
        return context.make_tuple(builder, ptr, moved)

    return ptr(ptr, types.intp), codegen


@intrinsic
def same_address(typing_context, a, b):
    """Whether two addresses are equal."""

    def codegen(context, builder, signature, args):
        return builder.icmp_unsigned("==", *args)

    return types.boolean(a, b), codegen


@intrinsic
def load_scalar(typing_context, ptr, offset):
    """The number at `offset`."""

    def codegen(context, builder, signature, args):
        return builder.load(builder.gep(args[0], [args[1]]))

    return ptr.dtype(ptr, types.intp), codegen


@intrinsic
def store_scalar(typing_context, ptr, offset, value):
    """Write one number to `offset`."""

    def codegen(context, builder, signature, args):
        builder.store(args[2], builder.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return types.void(ptr, types.intp, ptr.dtype), codegen


def _is_single(ptr):
    """Whether numbers are float32 at an address, or at both of two."""
    return (ptr.dtype if isinstance(ptr, types.UniTuple) else ptr).dtype == types.float32


def _address_of_eight(builder, address, offset, single):
    """LLVM address of a vector, and how it is aligned."""
    kind, align = (ir.VectorType(ir.FloatType(), WIDTH), 4) if single else (vector(WIDTH), 8)
    return builder.bitcast(builder.gep(address, [offset]), kind.as_pointer()), align


@intrinsic
def load(typing_context, ptr, offset):
    """Eight numbers from `offset`; of two addresses sixteen."""
    single = _is_single(ptr)

    def codegen(context, builder, signature, args):
        def eight(address):
            address, align = _address_of_eight(builder, address, args[1], single)
            value = builder.load(address)
            value.align = align
            return builder.fpext(value, vector(WIDTH)) if single else value

        if signature.return_type == lanes:
            return eight(args[0])
        first, second = (eight(a) for a in cgutils.unpack_tuple(builder, args[0], 2))
        return picked(builder, first, second, range(2 * WIDTH))

    kind = twins if isinstance(ptr, types.UniTuple) else lanes
    return kind(ptr, types.intp), codegen


@intrinsic
def store(typing_context, ptr, offset, value):
    """Write eight numbers from `offset`; to two addresses eight each."""
    single = _is_single(ptr)

    def codegen(context, builder, signature, args):
        parts, to = [args[2]], [args[0]]
        if isinstance(ptr, types.UniTuple):
            parts = halves(builder, args[2]) if value == twins else parts * 2
            to = cgutils.unpack_tuple(builder, args[0], 2)
        for address, part in zip(to, parts, strict=True):
            address, align = _address_of_eight(builder, address, args[1], single)
            if single:
                part = builder.fptrunc(part, ir.VectorType(ir.FloatType(), WIDTH))
            builder.store(part, address).align = align
        return context.get_dummy_value()

    return types.void(ptr, types.intp, value), codegen


@intrinsic
def prefetch(typing_context, ptr, count):
    """Ask for `count` float32 to come from memory into the second cache; nothing waits for them.

    Of float64 nothing is asked: twice as many bytes come no faster for it (measured here).
    """

    def codegen(context, builder, signature, args):
        if not _is_single(ptr):
            return context.get_dummy_value()
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        zero, step = (ir.Constant(args[1].type, n) for n in (0, LINE // 4))
        to_read, second, data = (ir.Constant(number, n) for n in (0, 2, 1))
        with cgutils.for_range_slice(builder, zero, args[1], step) as (offset, _):
            address = builder.bitcast(builder.gep(args[0], [offset]), byte)
            builder.call(ask, [address, to_read, second, data])
        return context.get_dummy_value()

    return types.void(ptr, types.intp), codegen


@inlined
def load3(ptr):
    """Three times eight numbers."""
    return load(ptr, 0), load(ptr, WIDTH), load(ptr, 2 * WIDTH)


@inlined
def store3(ptr, values):
    """Write three times eight numbers."""
    store(ptr, 0, values[0])
    store(ptr, WIDTH, values[1])
    store(ptr, 2 * WIDTH, values[2])


@inlined
def load_broadcast(ptr, offset):
    """The number at `offset`, eight times."""
    return broadcast(load_scalar(ptr, offset))


@inlined
def two(ptr, apart):
    """An address, and that `apart` numbers on."""
    return ptr, advance(ptr, apart)

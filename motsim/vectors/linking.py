"""Kernels that are called by their address: compiled apart from their callers.

numba compiles a function together with all that it calls, once more for each caller. What is called
by its address stands for itself: it is compiled, and loaded, only where a call needs it, by
whichever process comes first.
"""

from typing import Any

from numba import _dispatcher, types
from numba.core import cgutils
from numba.core.typing.typeof import typeof
from numba.extending import intrinsic

__all__ = ["address_of", "caller"]

_known: dict[tuple[Any, bytes], int] = {}


def address_of(kernel: Any, *arguments: Any) -> int:
    """Return where a kernel's code for arguments of these types is; compile or load it first."""
    key = kernel, _dispatcher.compute_fingerprint(arguments)
    if key not in _known:
        signature = tuple(typeof(argument) for argument in arguments)
        kernel.compile(signature)
        compiled = kernel.overloads[signature]
        name = compiled.fndesc.llvm_func_name
        _known[key] = compiled.library.get_pointer_to_function(name)
    return _known[key]


def caller(result: types.Type) -> Any:
    """Make what calls code at an address with a tuple of arguments, of which it hands back this.

    The address must be that of a kernel for arguments of just these types, and it is for whoever
    takes the address to see to it: nothing is checked here.
    """

    @intrinsic
    def call(typing_context, address, arguments):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            kinds = signature.args[1].types
            kind = context.call_conv.get_function_type(result, kinds)
            code = builder.inttoptr(args[0], kind.as_pointer())
            status, found = context.call_conv.call_function(
                builder, code, result, kinds, cgutils.unpack_tuple(builder, args[1], len(kinds))
            )
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return found

        kinds = types.BaseTuple.from_types([types.unliteral(kind) for kind in arguments.types])
        return result(types.intp, kinds), codegen

    return call

"""Denormal numbers, flushed to zero: they slow a recurrence tenfold, and no result needs them.

A thread inherits how its processor treats them. TensorFlow's threads flush them; so do those that
compute here, or the last bits would depend on which thread computes what.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_X86 = platform.machine() in ("x86_64", "AMD64")
_FLUSH = 0x8040 if _X86 else 1 << 24  # x86: FTZ and DAZ in MXCSR; Arm: FZ in FPCR


@intrinsic
def _control_word(typing):
    """Return the control word of this thread's floating-point unit."""

    def lower(context, builder, signature, values):
        if not _X86:
            kind = ir.FunctionType(ir.IntType(64), [])
            return builder.asm(kind, "mrs $0, fpcr", "=r", [], side_effect=True)
        place = cgutils.alloca_once(builder, ir.IntType(32))
        _call(builder, "llvm.x86.sse.stmxcsr", place)
        return builder.zext(builder.load(place), ir.IntType(64))

    return types.int64(), lower


@intrinsic
def _set_control_word(typing, word):
    """Set the control word of this thread's floating-point unit."""

    def lower(context, builder, signature, values):
        if _X86:
            narrow = builder.trunc(values[0], ir.IntType(32))
            _call(builder, "llvm.x86.sse.ldmxcsr", cgutils.alloca_once_value(builder, narrow))
        else:
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
            builder.asm(kind, "msr fpcr, $0", "r", [values[0]], side_effect=True)
        return context.get_dummy_value()

    return types.void(types.int64), lower


def _call(builder, name, pointer):
    bytes_ = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [bytes_.type])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [bytes_])


@njit(cache=True)
def _flush(word):
    """Flush denormals as `word` says, or for -1 always; return the control word before."""
    before = _control_word()
    _set_control_word(before | _FLUSH if word < 0 else word)
    return before


@contextmanager
def flushed() -> Iterator[None]:
    """Flush denormal numbers to zero in this thread, within the block."""
    before = _flush(-1)
    try:
        yield
    finally:
        _flush(before)

"""Rows of LANES numbers in LLVM's vector language: what the compiled kernels emit.

LLVM keeps the sums of a product in registers, which it does not do for loops over arrays. Numba
compiles what uses this: `emits` makes an intrinsic of a function that emits instructions.
"""

import inspect

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 32  # numbers in a row of sums
ROWS = 8  # rows of a block: 8 x 32 float32 sums take 16 of the 32 AVX-512 registers


def whole(number: int, of: int) -> int:
    """Return the next multiple of `of`.

    >>> whole(28, LANES), whole(64, LANES)
    (32, 64)
    """
    return -(-number // of) * of


def integer(value, bits=64):
    """Return a constant of an LLVM type."""
    return ir.Constant(ir.IntType(bits), value)


class Row:
    """A row of numbers in registers: Python's operators emit instructions."""

    def __init__(self, vectors, value):
        self.vectors, self.value = vectors, value

    def _of(self, instruction, left, right):
        left, right = (
            row.value if isinstance(row, Row) else self.vectors.constant(row).value
            for row in (left, right)
        )
        # "contract": a * b + c may be rounded once.
        return Row(self.vectors, instruction(left, right, flags=["contract"]))

    def __add__(self, other):
        return self._of(self.vectors.builder.fadd, self, other)

    def __mul__(self, other):
        return self._of(self.vectors.builder.fmul, self, other)

    def __sub__(self, other):
        return self._of(self.vectors.builder.fsub, self, other)

    def __rsub__(self, other):
        return self._of(self.vectors.builder.fsub, other, self)

    def __truediv__(self, other):
        return self._of(self.vectors.builder.fdiv, self, other)

    __radd__, __rmul__ = __add__, __mul__

    def fma(self, factor, addend):
        """Return `self * factor + addend`, rounded once."""
        return Row(self.vectors, self.vectors.fma(self.value, factor.value, addend.value))

    def where(self, comparison, bound, other):
        """Return the numbers, but `other` where they compare so with the bound; never where NaN."""
        builder, constant = self.vectors.builder, self.vectors.constant
        found = builder.fcmp_ordered(comparison, self.value, constant(bound).value)
        return Row(self.vectors, builder.select(found, constant(other).value, self.value))

    def tanh(self):
        """Return the hyperbolic tangent, a few roundings from exact, for one division.

        It is 2 P Q / (P^2 + Q^2), with P / Q Lambert's fraction for tanh(x / 2). Beyond the limit
        it is 1 to the last bit.
        """
        terms, limit = (7, 9.0) if self.vectors.single else (16, 20.0)
        y = 0.5 * self.where(">", limit, limit).where("<", -limit, -limit)
        p, q = (_polynomial(y * y, side) for side in _tanh_fraction(terms))
        p = y * p
        return 2 * p * q / p.fma(p, q * q)

    def flushed(self):
        """Return the numbers without those so small that processors slow down on their products."""
        tiny = 1e-30 if self.vectors.single else 1e-280
        builder, constant = self.vectors.builder, self.vectors.constant
        large = builder.fcmp_unordered(">", (self * self).value, constant(tiny**2).value)
        return Row(self.vectors, builder.select(large, self.value, constant(0.0).value))


def _polynomial(x, coefficients):
    *rest, value = coefficients
    for coefficient in reversed(rest):
        value = value * x + coefficient
    return value


def _tanh_fraction(terms: int) -> list[np.ndarray]:
    """Return the coefficients in powers of y^2 of tanh(y) / y = numerator / denominator.

    That is Lambert's continued fraction (1761), 1 / (1 + y^2 / (3 + y^2 / (5 + ...))), cut after
    `terms` terms.
    """
    unit = np.eye(1, terms // 2 + 1)[0]
    before, now = (0 * unit, unit), (unit, unit)
    for odd in range(3, 2 * terms, 2):
        before, now = now, tuple(odd * n + np.roll(b, 1) for n, b in zip(now, before, strict=True))
    return [side / now[1][0] for side in now]


class Vectors:
    """Emits loads, stores and products of rows of LANES numbers, float32 or float64."""

    def __init__(self, builder, number):
        self.builder = builder
        self.row = ir.VectorType(number, LANES)
        self.single = number == ir.FloatType()
        self.align = 4 if self.single else 8

    def constant(self, value):
        """Return a row of equal numbers."""
        return Row(self, ir.Constant(self.row, [float(value)] * LANES))

    def load(self, pointer):
        """Return the row at a pointer to its first number."""
        row = self.builder.bitcast(pointer, self.row.as_pointer())
        return Row(self, self.builder.load(row, align=self.align))

    def store(self, row, pointer):
        """Store a row likewise."""
        pointer = self.builder.bitcast(pointer, self.row.as_pointer())
        self.builder.store(row.value, pointer, align=self.align)

    def variable(self, start):
        """Return a cell on the stack, which LLVM turns into registers, that has this row first."""
        cell = cgutils.alloca_once(self.builder, self.row)
        self.builder.store(start.value, cell)
        return cell

    def _spread(self, pointer):
        """Return one number in every lane."""
        lane = self.builder.insert_element(
            ir.Constant(self.row, ir.Undefined), self.builder.load(pointer), integer(0, bits=32)
        )
        first = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.builder.shuffle_vector(lane, lane, first)

    def fma(self, a, b, c):
        """Return a * b + c of LLVM's values, rounded once."""
        name = f"llvm.fma.v{LANES}f{8 * self.align}"
        signature = ir.FunctionType(self.row, [self.row] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return self.builder.call(function, [a, b, c])

    def products(self, starts, lefts, step, right, stride, count):
        """Return for each start and left, of as many rows as ROWS, a row of sums over k < count.

        In lane l it is start[l] + sum_k left[k * step] right[k * stride + l]. The starts are rows,
        `lefts` and `right` pointers.
        """
        builder = self.builder
        cells = [self.variable(start) for start in starts]
        with cgutils.for_range(builder, count) as loop:
            factor = self.load(builder.gep(right, [builder.mul(loop.index, stride)])).value
            offset = builder.mul(loop.index, step)
            for left, cell in zip(lefts, cells, strict=True):
                number = self._spread(builder.gep(left, [offset]))
                builder.store(self.fma(number, factor, builder.load(cell)), cell)
        return [Row(self, builder.load(cell)) for cell in cells]


class Array:
    """A C-ordered array argument of an intrinsic."""

    def __init__(self, context, builder, kind, value):
        self.builder = builder
        array = context.make_array(kind)(context, builder, value)
        self.data, self.ndim = array.data, kind.ndim
        self.length = builder.extract_value(array.shape, 0)
        self.stride = builder.extract_value(array.shape, 1) if kind.ndim == 2 else integer(1)

    def at(self, row, lane=None):
        """Return a pointer to a number: at the beginning of a row, or `lane` numbers further."""
        index = self.builder.mul(row, self.stride)
        return self.builder.gep(
            self.data, [index if lane is None else self.builder.add(index, lane)]
        )

    def rows(self, number, row, lane=None):
        """Return pointers to so many rows, from `row` on."""
        return [self.at(self.builder.add(row, integer(r)), lane) for r in range(number)]

    def groups(self, number, row, width, lane):
        """Return pointers to so many groups of numbers of a row, `width` apart."""
        add, mul = self.builder.add, self.builder.mul
        return [self.at(row, add(mul(width, integer(g)), lane)) for g in range(number)]

    def load_index(self, row):
        """Return an integer of a one-dimensional array, as numba's intp."""
        value = self.builder.load(self.at(row))
        return value if value.type.width == 64 else self.builder.sext(value, ir.IntType(64))


def emits(emit):
    """Return a void numba intrinsic from emit(builder, vectors, *arguments).

    Arrays are given as `Array`, a named tuple as its class. The last array is of the type that is
    computed with.
    """

    def typer(typing, *kinds):
        signature = types.void(*(types.intp if isinstance(k, types.Integer) else k for k in kinds))

        def lower(context, builder, signature, values):
            arguments = []
            for kind, value in zip(signature.args, values, strict=True):
                if isinstance(kind, types.Array):
                    number = context.get_data_type(kind.dtype)
                    value = Array(context, builder, kind, value)
                elif isinstance(kind, types.NamedTuple):
                    value = kind.instance_class
                arguments.append(value)
            emit(builder, Vectors(builder, number), *arguments)
            return context.get_dummy_value()

        return signature, lower

    names = list(inspect.signature(emit).parameters.values())
    typer.__signature__ = inspect.Signature([names[0].replace(name="typing"), *names[2:]])
    return intrinsic(typer)


@emits
def copy_row(builder, vectors, rows, other, out, row, lane):
    """Emit out[row] = rows[other], which numba takes a second to compile: it checks the shapes."""
    vectors.store(vectors.load(rows.at(other, lane)), out.at(row, lane))


@emits
def add_row(builder, vectors, rows, other, out, row, lane):
    """Emit out[row] += rows[other]."""
    total = vectors.load(out.at(row, lane)) + vectors.load(rows.at(other, lane))
    vectors.store(total, out.at(row, lane))

"""Vectors of neighbouring neurons in compiled code: one arithmetic operation on 64 bytes at a time.

:class:`Lanes` is a numba type that holds 16 float32 or 8 float64 and takes ``+ - * /`` with other
Lanes and with numbers, so that a formula written for tensors compiles for Lanes unchanged. LLVM
splits a vector where the processor's registers are shorter, so this runs on any.

Why. LLVM's own loop vectoriser must prove that a dozen arrays do not overlap before it may keep a
sum in a register; with Lanes what stays in a register is written down.

Arrays are flat (one axis, contiguous); within compiled code their rows are pointers.
"""

import operator

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils, errors
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

BYTES = 64

# Reordered sums and fused multiply-adds; NaN and infinity keep their meaning.
FASTMATH = ("reassoc", "contract", "nsz")
_INLINE = dict(forceinline=True, nogil=True, fastmath=set(FASTMATH), error_model="numpy")


class Lanes(types.Type):
    """64 bytes of float32 or float64."""

    def __init__(self, dtype: types.Float):
        self.dtype, self.width = dtype, BYTES * 8 // dtype.bitwidth
        super().__init__(f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        element = ir.FloatType() if lanes.dtype == types.float32 else ir.DoubleType()
        super().__init__(manager, lanes, ir.VectorType(element, lanes.width))


# ---------------------------------------------------------------- memory


@intrinsic
def row(typingctx, array, k):
    """A pointer to ``array[k]``, of an array or of a pointer: what lies from there on.

    Unlike a view it takes no part in counting references, which at the grain of one row costs more than the
    row's arithmetic, and it knows no negative index. The array must outlive it, and be contiguous.
    """
    if isinstance(array, types.Array) and array.layout != "C":
        raise errors.TypingError(f"row of {array}: must be a contiguous array")

    def generate(context, builder, signature, arguments):
        k = context.cast(builder, arguments[1], signature.args[1], types.intp)
        return builder.gep(_start(context, builder, signature.args[0], arguments[0]), [k])

    return types.CPointer(array.dtype)(array, k), generate


@intrinsic
def load(typingctx, pointer, k):
    """The Lanes at ``pointer[k:k + width]``."""
    lanes = Lanes(pointer.dtype)

    def generate(context, builder, signature, arguments):
        return builder.load(_place(context, builder, signature, arguments, lanes), align=pointer.dtype.bitwidth // 8)

    return lanes(pointer, k), generate


@intrinsic
def store(typingctx, pointer, k, x):
    """``pointer[k:k + width] = x``."""

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature, arguments, x)
        builder.store(arguments[2], place, align=pointer.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(pointer, k, x), generate


@intrinsic
def prefetch(typingctx, pointer, k):
    """Ask for the cache line of ``pointer[k]`` ahead of its use; any address will do."""

    def generate(context, builder, signature, arguments):
        byte, whole = ir.IntType(8).as_pointer(), ir.IntType(32)
        place = builder.gep(arguments[0], [context.cast(builder, arguments[1], signature.args[1], types.intp)])
        kind = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # to be read, kept in every level, data
        builder.call(function, [builder.bitcast(place, byte), *(ir.Constant(whole, n) for n in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(pointer, k), generate


@intrinsic
def width(typingctx, array):
    """How many numbers of the array's dtype Lanes hold, known when compiled."""
    count = BYTES * 8 // array.dtype.bitwidth
    return types.intp(array), lambda context, builder, signature, arguments: ir.Constant(ir.IntType(64), count)


@intrinsic
def number(typingctx, array, x):
    """The number ``x`` in the array's dtype."""

    def generate(context, builder, signature, arguments):
        return context.cast(builder, arguments[1], signature.args[1], signature.return_type)

    return array.dtype(array, x), generate


def _start(context, builder, kind, value):
    return value if isinstance(kind, types.CPointer) else context.make_array(kind)(context, builder, value).data


def _place(context, builder, signature, arguments, lanes):
    k = context.cast(builder, arguments[1], signature.args[1], types.intp)
    place = builder.gep(_start(context, builder, signature.args[0], arguments[0]), [k])
    return builder.bitcast(place, context.get_value_type(lanes).as_pointer())


def _all_lanes(context, builder, signature, arguments, lanes):
    pairs = zip(arguments, signature.args)
    return [v if kind == lanes else _splat(context, builder, v, kind, lanes) for v, kind in pairs]


@intrinsic
def splat(typingctx, x):
    """Lanes that all hold the number ``x``."""
    lanes = Lanes(x)
    return lanes(x), lambda context, builder, signature, arguments: _splat(context, builder, arguments[0], x, lanes)


def _splat(context, builder, value, kind, lanes):
    value = context.cast(builder, value, kind, lanes.dtype)
    vector = context.get_value_type(lanes)
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


# ---------------------------------------------------------------- arithmetic


def _arithmetic(instruction: str):
    @intrinsic
    def apply(typingctx, a, b):
        lanes = a if isinstance(a, Lanes) else b

        def generate(context, builder, signature, arguments):
            x, y = _all_lanes(context, builder, signature, arguments, lanes)
            return getattr(builder, instruction)(x, y, flags=FASTMATH)

        return lanes(a, b), generate

    def resolve(a, b):
        kinds = (isinstance(a, Lanes), isinstance(b, Lanes))
        if all(kinds) or any(kinds) and isinstance(a if kinds[1] else b, types.Number):
            return lambda a, b: apply(a, b)

    return resolve


for _symbol, _in_place, _instruction in (
    (operator.add, operator.iadd, "fadd"),
    (operator.sub, operator.isub, "fsub"),
    (operator.mul, operator.imul, "fmul"),
    (operator.truediv, operator.itruediv, "fdiv"),
):
    overload(_symbol)(_arithmetic(_instruction))
    overload(_in_place)(_arithmetic(_instruction))


@intrinsic
def _negative(typingctx, x):
    return x(x), lambda context, builder, signature, arguments: builder.fneg(arguments[0])


@overload(operator.neg)
def _resolve_negative(x):
    return (lambda x: _negative(x)) if isinstance(x, Lanes) else None


@intrinsic
def absolute(typingctx, x):
    """|x|, lane by lane."""
    return x(x), lambda context, builder, signature, arguments: _llvm(builder, "fabs", arguments[0])


@intrinsic
def larger(typingctx, x, y):
    """The larger of x and y, lane by lane; x where y is NaN."""

    def generate(context, builder, signature, arguments):
        x, y = arguments
        return builder.select(builder.fcmp_ordered(">", y, x), y, x)

    return x(x, y), generate


@intrinsic
def where_above(typingctx, x, bound, a, b):
    """a where x > bound, b elsewhere; each of the three is a number or Lanes."""

    def generate(context, builder, signature, arguments):
        u, limit, a, b = _all_lanes(context, builder, signature, arguments, x)
        return builder.select(builder.fcmp_ordered(">", u, limit), a, b)

    return x(x, bound, a, b), generate


@intrinsic
def clip(typingctx, x, bound):
    """x within −bound and bound, a number > 0."""

    def generate(context, builder, signature, arguments):
        high = _splat(context, builder, arguments[1], bound, x)
        low, u = builder.fneg(high), arguments[0]
        u = builder.select(builder.fcmp_ordered(">", u, high), high, u)
        return builder.select(builder.fcmp_ordered("<", u, low), low, u)

    return x(x, bound), generate


@intrinsic
def total(typingctx, x):
    """The sum over the lanes, a number."""
    return x.dtype(x), lambda context, builder, signature, arguments: _reduce(builder, "fadd", arguments[0])


@intrinsic
def largest(typingctx, x):
    """The largest lane, a number."""
    return x.dtype(x), lambda context, builder, signature, arguments: _reduce(builder, "fmax", arguments[0])


@intrinsic
def nonzero(typingctx, x):
    """A whole number whose bit k says whether lane k is other than zero."""

    def generate(context, builder, signature, arguments):
        x = arguments[0]
        differs = builder.fcmp_unordered("!=", x, ir.Constant(x.type, None))
        return builder.zext(builder.bitcast(differs, ir.IntType(x.type.count)), ir.IntType(64))

    return types.int64(x), generate


@intrinsic
def lowest(typingctx, bits):
    """The place of the lowest bit that is set; there must be one."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(bits), generate


def _llvm(builder, name, *arguments):
    vector = arguments[0].type
    kind = ir.FunctionType(vector, [vector] * len(arguments))
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{_suffix(vector)}"), arguments
    )


def _reduce(builder, name, x):
    vector = x.type
    start = [ir.Constant(vector.element, -0.0)] if name == "fadd" else []
    kind = ir.FunctionType(vector.element, [v.type for v in (*start, x)])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.{name}.{_suffix(vector)}")
    return builder.call(function, (*start, x), fastmath=FASTMATH)


def _suffix(vector: ir.VectorType) -> str:
    return f"v{vector.count}{'f32' if isinstance(vector.element, ir.FloatType) else 'f64'}"


# ---------------------------------------------------------------- tanh


@intrinsic
def _nearest(typingctx, x):
    # the nearest whole number
    return x(x), lambda context, builder, signature, arguments: _llvm(builder, "rint", arguments[0])


@intrinsic
def _power_of_two(typingctx, n):
    # 2ⁿ of whole numbers n, written into the exponent bits

    def generate(context, builder, signature, arguments):
        vector = arguments[0].type
        bits, bias, mantissa = (32, 127, 23) if isinstance(vector.element, ir.FloatType) else (64, 1023, 52)
        whole = ir.VectorType(ir.IntType(bits), vector.count)
        exponent = builder.add(builder.fptosi(arguments[0], whole), ir.Constant(whole, [bias] * vector.count))
        return builder.bitcast(builder.shl(exponent, ir.Constant(whole, [mantissa] * vector.count)), vector)

    return n(n), generate


@njit(**_INLINE)
def tanh(x):
    """tanh, lane by lane, to a few units in the last place of float64.

    Rational approximations of S. L. Moshier's Cephes library (tanh.c, exp.c).
    """
    # |x| < 0.625: x + x³ P(x²)/Q(x²)
    z = x * x
    P = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3
    Q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3
    small = x + x * (z * (P / Q))
    # beyond: 1 − 2/(e^2|x| + 1), which is 1 to the last bit from |x| = 20
    y = absolute(x)
    y = where_above(y, 20.0, 20.0, y)
    y = y + y
    # e^y = 2ⁿ e^r with r = y − n ln 2, in two parts, and e^r = 1 + 2 r p(r²)/(q(r²) − r p(r²))
    n = _nearest(1.4426950408889634 * y)
    r = (y - 6.93145751953125e-1 * n) - 1.42860682030941723212e-6 * n
    w = r * r
    p = r * ((1.26177193074810590878e-4 * w + 3.02994407707441961300e-2) * w + 9.99999999999999999910e-1)
    q = ((3.00198505138664455042e-6 * w + 2.52448340349684104192e-3) * w + 2.27265548208155028766e-1) * w + 2.0
    e = (1 + 2 * (p / (q - p))) * _power_of_two(n)
    tail = 1 - 2 / (e + 1)
    return where_above(absolute(x), 0.625, where_above(x, 0.0, tail, -tail), small)

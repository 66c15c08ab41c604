"""How a layer is cut into programs: what of E one program holds, and when that is too much for the chip."""

from typing import NamedTuple

# what a program may hold of E at once, in bytes: with α, the adjoints of both and what is loaded, it fills the registers
TILE = 32 * 1024
PROGRAMS = 264  # of the backward: two on each of the 132 multiprocessors of a large GPU of today


class Tiles(NamedTuple):
    """The tile of E that one program holds, powers of two, and the warps that share it."""

    block_p: int
    block_q: int
    warps: int


def power_of_two(n: int) -> int:
    """The smallest power of two that is not below ``n``."""
    return 1 << max(0, n - 1).bit_length()


def tiles(P: int, Q: int, B: int, modulated: bool, itemsize: int) -> Tiles | None:
    """The tiles of a layer of P inputs and Q neurons, for a batch of B; None where E is too large for the chip.

    The neurons of a modulated layer must be in one tile. Elsewhere tiles are made smaller while the batch
    alone gives fewer programs than the chip takes.
    """
    block_p, block_q, room = power_of_two(P), power_of_two(Q), TILE // itemsize
    if modulated:
        if max(block_p, block_q) * block_q > room:
            return None
        elements = max(block_p, block_q) * block_q
    else:
        while block_p * block_q > room // 2 or (B * Q // block_q < PROGRAMS and block_q > 8):
            if block_q == 1:
                break
            block_q //= 2
        elements = block_p * block_q
        if elements > room:
            return None
    return Tiles(block_p, block_q, max(1, min(8, elements // 512)))

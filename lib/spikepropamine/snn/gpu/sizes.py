"""How a layer is cut into programs: what of E one program holds, and when that is too much for the chip."""

from typing import NamedTuple

# The most of E that a program holds in registers, in bytes; beside it lie α and the adjoints of both. Half of it was
# measured to be faster where the neurons can be shared out.
TILE = 16 * 1024
PROGRAMS = 264  # of the backward: two on each of the 132 multiprocessors of a large GPU of today


class Tiles(NamedTuple):
    """The tile of E that one program holds at a time, powers of two, and the warps that share it."""

    block_p: int
    block_q: int
    warps: int
    in_memory: bool  # whether a program goes through all neurons tile by tile, with E in memory


def power_of_two(n: int) -> int:
    """The smallest power of two that is not below ``n``."""
    return 1 << max(0, n - 1).bit_length()


def tiles(P: int, Q: int, B: int, modulated: bool, itemsize: int) -> Tiles | None:
    """The tiles of a layer of P inputs and Q neurons, for a batch of B; None where one neuron's E is too large.

    The neurons of a modulated layer must be in one program, so where they do not fit its registers they stay in
    memory. Those of another layer are shared out among programs, the more so the smaller the batch.
    """
    block_p, block_q, room = power_of_two(P), power_of_two(Q), TILE // itemsize
    widest = max(block_p, block_q) if modulated else block_p
    if widest > room:
        return None
    room = room if modulated else max(widest, room // 2)
    in_memory = modulated and widest * block_q > room
    while block_q > 1 and (widest * block_q > room or not modulated and block_q > 16 and B * (Q / block_q) < PROGRAMS):
        block_q //= 2
    return Tiles(block_p, block_q, max(1, min(8, block_q * widest // 512)), in_memory)

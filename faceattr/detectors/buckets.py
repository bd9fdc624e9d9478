"""Padding to few distinct sizes, as an engine prepares itself for each new shape."""

from __future__ import annotations


def bucket_size(number: int, buckets: int) -> int:
    """Round up to one of a few bucket sizes per power of two.

    An engine prepares itself for each shape that it meets, which takes longer than some padding.
    With four buckets, 1 to 8 stay as they are; then come 10, 12, 14, 16, 20, 24, 28, 32, 40, ...
    """
    step = 2 ** max((number - 1).bit_length() - buckets.bit_length(), 0)
    return number + -number % step

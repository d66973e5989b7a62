"""Order groups of a graph along the data that goes between them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence


def along_data(size: int, pairs: Iterable[tuple[int, int]]) -> Sequence[int]:
    """Return the numbers below ``size``, each after those that give it data; among equals, and in a
    loop, the smaller one first."""
    following: list[list[int]] = [[] for _ in range(size)]
    waiting = [0] * size
    for source, target in pairs:
        if source != target:
            following[source].append(target)
            waiting[target] += 1
    order: list[int] = []
    ready = [number for number in range(size) if not waiting[number]]
    is_done = bytearray(size)
    rest = iter(range(size))
    while len(order) < size:
        if not ready:
            ready = [next(number for number in rest if not is_done[number])]
        number = heapq.heappop(ready)
        if is_done[number]:
            continue
        is_done[number] = 1
        order.append(number)
        for further in following[number]:
            waiting[further] -= 1
            if not waiting[further] and not is_done[further]:
                heapq.heappush(ready, further)
    return order

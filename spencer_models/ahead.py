"""What is needed next is made ready by a thread while the device computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Enough for one that takes long, few enough for any memory.
_AHEAD = 2


def made_ahead(make: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
    """`make(item)` for each item, in order; its errors reach who asks for the result. Closing it ends the thread."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(1, "ahead") as pool:
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

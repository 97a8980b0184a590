"""A bounded mapping that drops what was not asked for in the longest time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """At most `capacity` entries; reading one makes it the youngest."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, Value] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def fetch(self, key: Hashable, make: Callable[[], Value]) -> Value:
        if key in self._entries:
            self._entries.move_to_end(key)
            self.hits += 1
            return self._entries[key]
        self.misses += 1
        value = make()
        self._entries[key] = value
        self._shrink()
        return value

    def _shrink(self) -> None:
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def invalidate(self, predicate: Callable[[Hashable], bool]) -> int:
        """Forget all keys for which the predicate holds; how many those were."""
        doomed = [key for key in self._entries if predicate(key)]
        for key in doomed:
            del self._entries[key]
        return len(doomed)

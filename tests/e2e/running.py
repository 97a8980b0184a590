"""The indexing service in this process, spoken to as a window would."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from typing import Any

from spencer_desktop.core.engine import Engine
from spencer_desktop.core.watching import Watcher
from spencer_desktop.service import Service


class Running:
    """A service in a thread."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        waits: Callable[[], str] = lambda: "",
        watch: Callable[..., Watcher] | None = None,
    ) -> None:
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._lines: queue.Queue[str] = queue.Queue()
        self.service = Service(open_engine, self.events.put, waits, watch)
        self._thread = threading.Thread(target=lambda: self.service.serve(iter(self._lines.get, "")))
        self._thread.start()

    def tell(self, line: str | None = None, **command: Any) -> None:
        self._lines.put(line if line is not None else json.dumps(command))

    def until(self, kind: str, seconds: float = 30.0) -> dict[str, Any]:
        """The next event of a kind; those before it are dropped. queue.Empty where none comes for so long."""
        while (event := self.events.get(timeout=seconds))["event"] != kind:
            pass
        return event

    def stop(self) -> None:
        self._lines.put("")
        self._thread.join(30)
        assert not self._thread.is_alive()

"""The indexing service with the models of the tests: `python -m tests.gui.fake_service DATA_DIR`.

It watches, too, where WATCH is set in its environment.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from spencer_desktop.core.settings import load_settings
from spencer_desktop.core.watching import Watcher
from spencer_desktop.service import Lines, Service
from tests.e2e.harness import PackedFakes, engine_with

if __name__ == "__main__":
    settings = load_settings(data_dir=Path(sys.argv[1]))
    watch = Watcher if os.environ.get("WATCH") else None
    Service(lambda: engine_with(PackedFakes(), settings), Lines(sys.stdout), watch=watch).serve(sys.stdin)

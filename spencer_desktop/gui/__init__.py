"""The window (PySide6). What needs no Qt stands in modules of its own."""

"""Conditions on the catalogue's rows: SQL, and what it binds."""

from __future__ import annotations

import os
from typing import Any

import apsw
import numpy as np

from spencer_desktop.core.rows import ROOT, Scope
from spencer_desktop.core.types import Ids


def below(repository_id: int, folder: str) -> tuple[str, tuple[Any, ...]]:
    """A condition on a repository's paths, which are bytes and compared as such, and what it binds."""
    if folder == ROOT:
        return "repository_id = ?", (repository_id,)
    first = os.fsencode(folder)
    return "repository_id = ? AND path >= ? AND path < ?", (repository_id, first, first[:-1] + b"0")


def array(ids: Ids) -> Any:
    """Ids as SQLite's table-valued function takes them, which refuses an empty array; no row has the id 0."""
    return apsw.carray(ids if len(ids) else np.zeros(1, np.int64))


def in_scope(scope: Scope) -> tuple[str, tuple[Any, ...]]:
    """A condition on the chunk `c`, and what it binds."""
    parts: list[tuple[str, tuple[Any, ...]]] = []
    if scope.files is not None:
        parts.append(("c.file_id IN carray(?)", (array(scope.files),)))
    if scope.kinds:
        parts.append((f"c.kind IN ({', '.join('?' * len(scope.kinds))})", scope.kinds))
    return " AND ".join(sql for sql, _ in parts) or "TRUE", tuple(value for _, bound in parts for value in bound)

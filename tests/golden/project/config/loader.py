"""Settings from several files and the environment, the later ones on top."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PREFIX = "SHOP__"


def deep_merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = deep_merge(old, value) if both else value
    return merged


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """SHOP__DATABASE__HOST=x becomes {"database": {"host": "x"}}."""
    tree: dict[str, Any] = {}
    for name, value in environ.items():
        if name.startswith(PREFIX):
            *parents, last = name.removeprefix(PREFIX).lower().split("__")
            node = tree
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = value
    return tree


def load(paths: Sequence[Path]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for path in paths:
        if path.exists():
            settings = deep_merge(settings, json.loads(path.read_text("utf-8")))
    return deep_merge(settings, from_environment(os.environ))

"""What a question is narrowed to, as the catalogue knows it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pathspec

from spencer_desktop.core.catalog import Catalog
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.languages import canonical_language
from spencer_desktop.core.rows import Scope
from spencer_desktop.core.types import KINDS, Filters, Ids


def scope_of(catalog: Catalog, filters: Filters) -> Scope:
    """Raises UserError for unknown names."""
    kinds = tuple(_kind(name) for name in filters.kinds)
    return Scope(_files(catalog, replace(filters, kinds=())), kinds)


def _files(catalog: Catalog, filters: Filters) -> Ids | None:
    """Ascending ids of the files that may be found, or None for all."""
    if filters == Filters():
        return None
    roots = _roots(catalog, filters.repositories)
    languages = {canonical_language(name) for name in filters.languages}
    globs = _globs(filters.path_globs) if filters.path_globs else None
    return np.array(
        [
            file_id
            for file_id, root, path, language in catalog.files_for_filter()
            if (roots is None or root in roots)
            and (not languages or language in languages)
            and (globs is None or globs.match_file(path))
        ],
        np.int64,
    )


def _roots(catalog: Catalog, wanted: Sequence[str]) -> set[str] | None:
    if not wanted:
        return None
    known = catalog.repositories()
    roots: set[str] = set()
    for name in wanted:
        folder = Path(os.path.realpath(name))
        found = {str(r.root) for r in known if name == r.name or folder == r.root}
        if not found:
            names = ", ".join(sorted({r.name for r in known})) or "none"
            raise UserError(f"No repository {name!r} is indexed", hint=f"Indexed: {names}.")
        roots |= found
    return roots


def _kind(name: str) -> str:
    wanted = name.strip().lower()
    if wanted not in KINDS:
        raise UserError(f"Unknown kind of code {name!r}", hint=f"Known are {', '.join(KINDS)}.")
    return wanted


def _globs(lines: Sequence[str]) -> pathspec.GitIgnoreSpec:
    try:
        return pathspec.GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error) as error:
        raise UserError(
            f"--path {' '.join(lines)} cannot be read: {error}", hint="Write it as in .gitignore, e.g. 'src/**/*.py'."
        ) from error

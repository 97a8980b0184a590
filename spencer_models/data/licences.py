"""What a package states of its own licence, in a few words, for the account of a corpus."""

from __future__ import annotations

import email
import importlib.metadata
import json
import re
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

from spencer_models.data.sources import DEBIAN, DEBIAN_SOURCE, NPM, PYPI, TreeSource
from spencer_models.data.trees import STANDARD_LIBRARY, Tree

_SEE_PACKAGE = "see the package"
_DEBIAN_LICENCE = re.compile(r"^License:[ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)


def stated_licence(source: TreeSource, tree: Tree) -> str:
    """The licence of a package where it was fetched or is installed; "" for a path of the user's own."""
    if not source.place:
        return licence_of_installed(source.name)
    if source.registry == PYPI:
        return _of_wheel(tree.place)
    if source.registry == NPM:
        return _of_npm(tree.place)
    if source.registry in (DEBIAN, DEBIAN_SOURCE):
        return _of_debian(tree.place, source)
    return ""


def licence_of_installed(name: str) -> str:
    """The licence of an installed Python distribution, or of the standard library."""
    return "PSF-2.0" if name == STANDARD_LIBRARY else _of_metadata(importlib.metadata.metadata(name))


def _of_wheel(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        names = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        name = next(names, "")
        return _of_metadata(email.message_from_bytes(archive.read(name))) if name else _SEE_PACKAGE


def _of_metadata(metadata: Message | importlib.metadata.PackageMetadata) -> str:
    classifiers = [c for c in metadata.get_all("Classifier") or [] if c.startswith("License ::")]
    stated = [*(metadata.get_all("License-Expression") or []), *(c.rpartition(":: ")[2] for c in classifiers)]
    # Some packages put the whole text of their licence where its name belongs.
    named: list[str] = [*stated, *(metadata.get_all("License") or []), _SEE_PACKAGE]
    return named[0].splitlines()[0]


def _of_npm(package: Path) -> str:
    with tarfile.open(package) as archive:
        members = (m for m in archive if m.isreg() and re.fullmatch(r"[^/]+/package\.json", m.name))
        member = next(members, None)
        file = member and archive.extractfile(member)
        licence = json.load(file).get("license") if file else None
    # Old packages have an object here.
    return str(licence.get("type") if isinstance(licence, dict) else licence or _SEE_PACKAGE)


def _of_debian(place: Path, source: TreeSource) -> str:
    """The first licence that the package's copyright file names: that of the work itself."""
    root = next(p for p in (place, *place.parents) if p.name == Path(source.package_place).name)
    found = [*root.glob("debian/copyright"), *sorted(root.glob("usr/share/doc/*/copyright"))]
    named = _DEBIAN_LICENCE.search(found[0].read_text(encoding="utf-8", errors="replace")) if found else None
    return named.group(1).strip() if named else _SEE_PACKAGE

"""The source files of a package: of a folder, an archive, or an installed Python distribution.

Nothing of an archive is ever written to disk; the names in it are labels and no more. A folder is walked as the
application walks it, so that what a team's ignore files leave out is never mined.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import sysconfig
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.exclusions import BINARY, generated_name_reason, generated_text_reason
from spencer_desktop.core.files import FileContent, FileUnavailable, WalkLimits, read_file, walk
from spencer_desktop.core.languages import language_of
from spencer_desktop.core.types import FileEntry, SkippedFile
from spencer_models.data.filters import path_fault

STANDARD_LIBRARY = "python-stdlib"

# Larger files are tables and generated code.
MAX_FILE_BYTES = 1_000_000
TOO_LARGE = "too large"
DAMAGED = "damaged in the archive"

_LIMITS = WalkLimits(max_bytes=MAX_FILE_BYTES)
_ZIP_NAMES = (".zip", ".jar", ".whl")
_ARCHIVE_NAMES = (*_ZIP_NAMES, ".tar.gz", ".tgz", ".tar.xz", ".tar", ".crate")
# Others need libraries that not every Python has.
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to mine: its path inside the package, "/"-separated; its language; its text with "\\n" as line ends."""

    path: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A package on this machine. `files` are paths below `place`; None stands for all that is there.

    `place` is a folder or an archive; of an archive, the package may be what stands `below` a path in it.
    """

    place: Path
    files: tuple[str, ...] | None = None
    below: str = ""


def find_tree(path: Path) -> Tree:
    """The tree at a path. UserError when there is none, or when it is neither a folder nor an archive."""
    if tree := tree_at(path):
        return tree
    if not path.exists():
        raise UserError(f"There is nothing at {path}.", hint="Check the spelling; relative paths begin here.")
    raise UserError(
        f"{path} is neither a folder nor an archive.", hint=f"Archives end with {', '.join(_ARCHIVE_NAMES)}."
    )


def tree_at(path: Path) -> Tree | None:
    """The folder or the archive at a path, or the part of an archive; None when there is none."""
    if path.is_dir():
        return Tree(path)
    archive = next((p for p in (path, *path.parents) if p.is_file()), None)
    if archive is None or not archive.name.lower().endswith(_ARCHIVE_NAMES):
        return None
    return Tree(archive, below="" if archive == path else path.relative_to(archive).as_posix())


def package_name(path: Path) -> str:
    """What a package at `path` is called: the folder's name, or the archive's without its ending."""
    name = path.resolve().name
    ending = next((e for e in _ARCHIVE_NAMES if name.lower().endswith(e)), "") if path.is_file() else ""
    return name.removesuffix(name[len(name) - len(ending) :])


def installed_tree(name: str, version: str) -> Tree:
    """The source of an installed distribution, or of the standard library. UserError when the version differs."""
    if name == STANDARD_LIBRARY:
        _check_version(name, version, sysconfig.get_python_version())
        place = Path(sysconfig.get_paths()["stdlib"])
        own = (path.relative_to(place) for path in place.rglob("*.py"))
        files = [p.as_posix() for p in own if p.parts[0] not in ("site-packages", "dist-packages")]
        return Tree(place, tuple(sorted(files)))
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(
            f"The recipe mines {name}, which is not installed", hint=f"pip install {name}=={version}"
        ) from error
    _check_version(name, version, distribution.version)
    recorded = distribution.files or ()
    return Tree(
        Path(str(distribution.locate_file(""))), tuple(sorted(f.as_posix() for f in recorded if ".." not in f.parts))
    )


def _check_version(name: str, wanted: str, found: str) -> None:
    if found != wanted:
        raise UserError(
            f"The recipe mines {name} {wanted}, but {found} is installed", hint=f"pip install {name}=={wanted}"
        )


def source_files(tree: Tree, languages: Collection[str]) -> Iterator[SourceFile | SkippedFile]:
    """The files of a package that are written in `languages`, in an order that the package alone decides.

    Files of these languages that are not to be mined come as SkippedFile: tests, vendored, generated, minified, too
    large, binary. UserError for a damaged archive.
    """
    if tree.files is not None:
        return _listed(tree.place, tree.files, languages)
    if tree.place.is_dir():
        return _walked(tree.place, languages)
    zipped = tree.place.name.lower().endswith(_ZIP_NAMES)
    return _zipped(tree, languages) if zipped else _tarred(tree, languages)


def _listed(place: Path, files: tuple[str, ...], languages: Collection[str]) -> Iterator[SourceFile | SkippedFile]:
    for path in files:
        if (language := language_of(path)) in languages:
            yield _skipped_by_name(path, language) or _read(place, path, language)


def _walked(place: Path, languages: Collection[str]) -> Iterator[SourceFile | SkippedFile]:
    for entry in walk(place, _LIMITS):
        if isinstance(entry, FileEntry) and entry.language in languages:
            yield _skipped_by_name(entry.path, entry.language) or _read(place, entry.path, entry.language)
        elif isinstance(entry, SkippedFile) and language_of(entry.path) in languages:
            yield entry


def _skipped_by_name(path: str, language: str) -> SkippedFile | None:
    reason = path_fault(path, language) or generated_name_reason(path.rpartition("/")[2])
    return SkippedFile(path, reason) if reason else None


def _read(place: Path, path: str, language: str) -> SourceFile | SkippedFile:
    try:
        found = read_file(place, path, _LIMITS)
    except FileUnavailable as error:
        return SkippedFile(path, error.reason)
    if isinstance(found, FileContent):
        return SourceFile(path, language, _lines(found.text))
    return SkippedFile(path, TOO_LARGE) if found.reason.startswith(TOO_LARGE) else found


def _zipped(tree: Tree, languages: Collection[str]) -> Iterator[SourceFile | SkippedFile]:
    try:
        with zipfile.ZipFile(tree.place) as archive:
            for info in sorted(archive.infolist(), key=lambda i: i.filename):
                path = _label(info.filename, tree.below)
                if info.is_dir() or (language := language_of(path)) not in languages:
                    continue
                yield _skipped_by_name(path, language) or _read_zipped(archive, info, path, language)
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"The archive {tree.place} is damaged ({error})", hint="Fetch it again.") from error


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, language: str) -> SourceFile | SkippedFile:
    if info.compress_type not in _ZIP_METHODS:
        return SkippedFile(path, DAMAGED)
    try:
        with archive.open(info) as file:
            return _read_member(file, path, language)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # RuntimeError: encrypted
        return SkippedFile(path, DAMAGED)


def _tarred(tree: Tree, languages: Collection[str]) -> Iterator[SourceFile | SkippedFile]:
    try:
        with tarfile.open(tree.place, "r:*") as archive:
            for member in archive:
                path = _label(member.name, tree.below)
                if not member.isreg() or (language := language_of(path)) not in languages:
                    continue
                file = archive.extractfile(member)
                assert file is not None
                yield _skipped_by_name(path, language) or _read_member(file, path, language)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise UserError(f"The archive {tree.place} is damaged ({error})", hint="Fetch it again.") from error


def _read_member(file: IO[bytes], path: str, language: str) -> SourceFile | SkippedFile:
    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        return SkippedFile(path, TOO_LARGE)
    text = data.decode("utf-8-sig", "replace")
    reason = BINARY if "\0" in text else generated_text_reason(path.rpartition("/")[2], text)
    return SkippedFile(path, reason) if reason else SourceFile(path, language, _lines(text))


def _label(name: str, below: str) -> str:
    """A name in an archive as a path relative to `below`, wherever it would have pointed; "" where it is elsewhere."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    path = "/".join(part for part in parts if part not in ("/", "//", "..", "."))
    return path.removeprefix(f"{below}/") if not below or path.startswith(f"{below}/") else ""


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


class ContentHash:
    """SHA-256 over the paths and texts of a package's files, in their order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, file: SourceFile) -> None:
        text = hashlib.sha256(file.text.encode("utf-8", "surrogatepass")).hexdigest()
        self._digest.update(f"{file.path}\0{text}\n".encode("utf-8", "surrogatepass"))

    def hexdigest(self) -> str:
        return self._digest.hexdigest()

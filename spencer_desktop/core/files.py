"""Which files of a folder are indexed, why the others are not, and what is in them.

`walk` asks the file system for names and sizes only, so that looking again at an unchanged tree is cheap; what depends
on a file's bytes (binary, generated, minified, private key) is decided by `read_file`, which opens each file once.
The names of the root and of its parents exclude nothing: whoever asks for `vendor` gets `vendor`.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from spencer_desktop.core.errors import EnvironmentFault, UserError
from spencer_desktop.core.exclusions import (
    BINARY,
    BUILD_OUTPUT,
    DEPENDENCIES,
    VERSION_CONTROL,
    content_of_folder_reason,
    data_name_reason,
    dump_reason,
    folder_reason,
    generated_name_reason,
    generated_text_reason,
    is_version_control,
    pointer_reason,
    secret_name_reason,
    secret_text_reason,
)
from spencer_desktop.core.gitignore import FOLDER_MARK
from spencer_desktop.core.ignore import IGNORE_FILES, MAX_IGNORE_BYTES, Rules, rules_above
from spencer_desktop.core.languages import language_of
from spencer_desktop.core.regular import SPECIAL_FILE, SYMBOLIC_LINK, NotRegularError, is_link, open_regular
from spencer_desktop.core.rows import ROOT
from spencer_desktop.core.types import FileEntry, SkippedFile

EMPTY = "empty"
UNREADABLE = "unreadable"
VANISHED = "vanished"
CHANGED = "changed while it was read"

_HEAD_BYTES = 8_192
# UTF-32 first: its little-endian mark begins with the one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


@dataclass(frozen=True, slots=True)
class WalkLimits:
    """What is indexed by default, and what is not.

    Files larger than `max_bytes`, and JSON, XML, YAML and the like larger than `max_data_bytes`, are left out.
    `include_vendored` lets third-party code and build output in, `include_generated` what tools wrote. What a name
    excludes, its name in `.ignore` or `.spencerignore` brings back ("!vendor/"; not a pattern with wildcards), except
    secrets and version control data. `exclude`: further patterns as in `.gitignore`, with blanks between them.
    """

    max_bytes: int = 2_000_000
    max_data_bytes: int = 256_000
    include_vendored: bool = False
    include_generated: bool = False
    exclude: str = ""


DEFAULT_LIMITS = WalkLimits()


@dataclass(frozen=True, slots=True)
class FileContent:
    """The text of a file, without its byte order mark; it holds no NUL and no lone surrogate.

    `digest` is the 16-byte blake2b of the bytes that became the text; `size` and `mtime_ns` are theirs. `language`
    takes the file's first bytes into account, unlike the walk's.
    """

    path: str
    text: str
    digest: bytes
    size: int
    mtime_ns: int
    language: str


class FileUnavailable(EnvironmentFault):
    """The file is gone, unreadable, no plain file any more, or being written.

    `reason` says which, in words. Unlike a SkippedFile it says nothing of the file's bytes: it must not be remembered
    by size and time of change, and is no ground for forgetting what was indexed, unless `reason` is VANISHED.
    """

    def __init__(self, path: str, reason: str) -> None:
        shown = os.fsencode(path).decode("utf-8", "replace")
        super().__init__(f"{shown}: {reason}", hint="It is looked at again when the folder is next indexed.")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder being walked: `shown` is its path below the root, `path` that below where the rules begin.

    Where it is not `wanted` it only leads to one that is.
    """

    shown: str
    path: bytes
    rules: Rules
    names: frozenset[str]
    entries: Iterator[os.DirEntry[str]]
    wanted: bool


class _Reach:
    """Which folders a walk is to report on: those in `within` with all that is below them."""

    def __init__(self, within: Collection[str]) -> None:
        self._within = frozenset(within)
        self._ways = {way for place in self._within for way in (place, *folders_above(place))}

    def wants(self, shown: str) -> bool:
        return shown in self._within

    def leads(self, shown: str) -> bool:
        return shown in self._ways


def folders_above(path: str) -> list[str]:
    """The folders that a file or folder below a root lies in: the root first; none for the root itself."""
    return [ROOT, *(path[: n + 1] for n, letter in enumerate(path[:-1]) if letter == "/")] if path else []


def discover_root(path: Path) -> Path:
    """The folder to index, absolute and without links: `path` itself, even where it lies inside a repository.

    Raises UserError when there is no such folder.
    """
    try:
        root = path.expanduser().resolve()
        mode = root.stat().st_mode
    except FileNotFoundError as error:
        raise UserError(f"There is no folder {path}.", hint="Check the spelling; relative paths begin here.") from error
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, no home for "~", a NUL in the name
        raise UserError(f"Cannot use {path}: {error}.", hint="Give the path of a folder that you can open.") from error
    if not stat.S_ISDIR(mode):
        raise UserError(f"{path} is not a folder.", hint=f"Give the folder it lies in: {root.parent}")
    return root


def walk(
    root: Path, limits: WalkLimits = DEFAULT_LIMITS, within: Collection[str] = (ROOT,)
) -> Iterator[FileEntry | SkippedFile]:
    """Every file below `root` that is to be indexed, and every file or folder that is not, with the reason.

    Names are sorted and folders walked depth first; the path of a skipped folder ends with "/", and nothing is said of
    what is in it. Links are not followed. `within` are folders below the root, each with a last slash (ROOT is the root
    itself): only of them and what is below them is anything said, and of a folder on the way that is itself left out.
    Raises UserError, at once, when `root` is no folder or cannot be read.
    """
    root = discover_root(root)
    try:
        entries = _scan(str(root))
    except OSError as error:
        raise UserError(
            f"Cannot read {root}: {error.strerror}.", hint="Check the permissions of the folder."
        ) from error
    rules, path = rules_above(root)
    rules = rules.with_exclusions(limits.exclude, len(path))
    reach = _Reach(within)
    return _walk(_folder(ROOT, path, rules, str(root), entries, wanted=reach.wants(ROOT)), limits, reach)


def _walk(top: _Folder, limits: WalkLimits, reach: _Reach) -> Iterator[FileEntry | SkippedFile]:
    stack = [top]
    while stack:
        parent = stack[-1]
        entry = next(parent.entries, None)
        if entry is None:
            stack.pop()
        elif not parent.wanted and not reach.leads(f"{parent.shown}{entry.name}/"):
            continue
        elif isinstance(found := _look(entry, parent, limits, reach), _Folder):
            stack.append(found)
        elif parent.wanted or found.path.endswith("/"):
            yield found


def _scan(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _folder(
    shown: str, path: bytes, rules: Rules, location: str, entries: list[os.DirEntry[str]], *, wanted: bool
) -> _Folder:
    names = frozenset(entry.name for entry in entries)
    return _Folder(shown, path, rules.enter(location, names, len(path), shown), names, iter(entries), wanted)


def _look(
    entry: os.DirEntry[str], parent: _Folder, limits: WalkLimits, reach: _Reach
) -> FileEntry | SkippedFile | _Folder:
    shown = parent.shown + entry.name
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        return SkippedFile(shown, _words_for(error))
    if is_link(status):
        return SkippedFile(shown, SYMBOLIC_LINK)
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return SkippedFile(shown, SPECIAL_FILE)
    shown += "/" if is_folder else ""
    if is_version_control(entry.name):
        return SkippedFile(shown, VERSION_CONTROL)
    path = parent.path + os.fsencode(entry.name)
    verdict = parent.rules.verdict(path + FOLDER_MARK if is_folder else path, len(parent.path))
    if verdict and verdict.ignored:
        return SkippedFile(shown, f"ignored by {verdict.origin}")
    restored = verdict is not None and verdict.restores
    if is_folder:
        return _enter(entry, parent, limits, restored, reach)
    if reason := _name_reason(entry.name, status.st_size, limits, restored):
        return SkippedFile(shown, reason)
    return FileEntry(shown, status.st_size, status.st_mtime_ns, language_of(shown))


def _enter(
    entry: os.DirEntry[str], parent: _Folder, limits: WalkLimits, restored: bool, reach: _Reach
) -> SkippedFile | _Folder:
    shown = f"{parent.shown}{entry.name}/"
    if reason := _unless_admitted(folder_reason(entry.name, parent.names), limits, restored):
        return SkippedFile(shown, reason)
    try:
        entries = _scan(entry.path)
    except OSError as error:
        return SkippedFile(shown, _words_for(error))
    path = parent.path + os.fsencode(entry.name) + b"/"
    folder = _folder(shown, path, parent.rules, entry.path, entries, wanted=parent.wanted or reach.wants(shown))
    if reason := _unless_admitted(content_of_folder_reason(entry.name, folder.names), limits, restored):
        return SkippedFile(shown, reason)
    return folder


def _unless_admitted(reason: str, limits: WalkLimits, restored: bool) -> str:
    admitted = restored or (limits.include_vendored and reason in {DEPENDENCIES, BUILD_OUTPUT})
    return "" if admitted else reason


def _name_reason(name: str, size: int, limits: WalkLimits, restored: bool) -> str:
    if size == 0:
        return EMPTY
    if reason := secret_name_reason(name):
        return reason
    if name in IGNORE_FILES and size > MAX_IGNORE_BYTES:
        return "too large for a list of ignored files: its rules are not applied"
    if not restored:
        reason = data_name_reason(name) or dump_reason(name, size, limits.max_data_bytes)
        if reason := reason or ("" if limits.include_generated else generated_name_reason(name)):
            return reason
    return _size_reason(size, limits)


def _size_reason(size: int, limits: WalkLimits) -> str:
    if size <= limits.max_bytes:
        return ""
    return f"too large ({size / 1e6:,.1f} MB, the limit is {limits.max_bytes / 1e6:,.1f} MB)"


def _words_for(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return VANISHED
    return str(error) if isinstance(error, NotRegularError) else f"{UNREADABLE} ({error.strerror})"


def read_file(root: Path, path: str, limits: WalkLimits = DEFAULT_LIMITS) -> FileContent | SkippedFile:
    """The text of a file that `walk` found, or why its bytes are not to be indexed.

    UTF-8, or UTF-16 and UTF-32 where a byte order mark says so; bytes that are neither become U+FFFD. Never blocks,
    never follows a link. A file that changes while it is read is read once more. Raises FileUnavailable.
    """
    try:
        data, status = _read_at_rest(f"{root}/{path}", path, limits)
    except OSError as error:
        raise FileUnavailable(path, _words_for(error)) from error
    if reason := _size_reason(status.st_size, limits):
        return SkippedFile(path, reason)
    text = _decode(data)
    if reason := _text_reason(path.rpartition("/")[2], text, limits):
        return SkippedFile(path, reason)
    digest = hashlib.blake2b(data, digest_size=16).digest()
    language = language_of(path, data[:_HEAD_BYTES])
    return FileContent(path, text, digest, status.st_size, status.st_mtime_ns, language)


def _read_at_rest(location: str, path: str, limits: WalkLimits) -> tuple[bytes, os.stat_result]:
    """All bytes of the file, none when it is too large, and its status, the same before and after."""
    for _ in range(2):
        with open_regular(location) as (file, before):
            if before.st_size > limits.max_bytes:
                return b"", before
            data = file.read(before.st_size + 1)
            after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) == (len(data), after.st_mtime_ns):
            return data, after
    raise FileUnavailable(path, CHANGED)


def _decode(data: bytes) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding, "replace")


def _text_reason(name: str, text: str, limits: WalkLimits) -> str:
    if not text:
        return EMPTY
    if "\0" in text:
        return BINARY
    reason = secret_text_reason(text) or pointer_reason(text)
    return reason or ("" if limits.include_generated else generated_text_reason(name, text))

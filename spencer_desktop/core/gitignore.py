"""Lists of ignore patterns with git's meaning, byte for byte (git's dir.c and wildmatch.c; `git help gitignore`).

A list is compiled into few regular expressions, so that asking it costs little however many patterns it has. Every
wildcard that is followed by another one is atomic: a hostile pattern such as `*a*a*a*a*b` cannot backtrack without end.
Not done: `core.ignoreCase`; names are compared as they are written.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

# A folder's name is followed by a NUL, which no name holds: one expression then tells folders from files.
FOLDER_MARK = b"\0"

_STAR = b"*"  # any bytes of one name
_FOLDERS = b"**/"  # nothing, or any number of whole folders
_ANYTHING = b"**"  # any bytes, slashes too

# `re` takes time that grows with the square of the number of groups in an expression.
_ALTERNATIVES = 200

_SPECIAL = re.compile(rb"[*?\[\\]")
_BOM = b"\xef\xbb\xbf"
_POSIX = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, range(32))) + "\x7f",
    "digit": string.digits,
    "graph": string.ascii_letters + string.digits + string.punctuation,
    "lower": string.ascii_lowercase,
    "print": string.ascii_letters + string.digits + string.punctuation + " ",
    "punct": string.punctuation,
    "space": " \t\n\r",
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}
_POSIX_CLASSES = {name.encode(): frozenset(members.encode()) for name, members in _POSIX.items()}


class _NeverMatches(Exception):
    """A pattern that git accepts and that matches nothing, such as one that ends inside a bracket."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of a list. `negated` ("!") brings back what an earlier line ignored; `literal` has no wildcard."""

    negated: bool
    literal: bool


@dataclass(frozen=True, slots=True)
class PatternList:
    """The patterns of one file, in its order. `names` sees the last name of a path only, `paths` all of it."""

    patterns: tuple[Pattern, ...]
    names: tuple[re.Pattern[bytes], ...]
    paths: tuple[re.Pattern[bytes], ...]

    def last_match(self, path: bytes, path_at: int, name_at: int) -> Pattern | None:
        """The last pattern that matches `path[path_at:]`, whose last name begins at `name_at`; None when none does.

        `path` is "/"-separated and, for a folder, ends with FOLDER_MARK.
        """
        best = max(_index(self.names, path, name_at), _index(self.paths, path, path_at))
        return None if best < 0 else self.patterns[best]


def _index(expressions: tuple[re.Pattern[bytes], ...], path: bytes, at: int) -> int:
    """The index of the last pattern that matches, -1 when none does."""
    for expression in expressions:
        if match := expression.match(path, at):
            return int(match.lastgroup[1:])  # type: ignore[index]  # every alternative ends in a named group
    return -1


@lru_cache(maxsize=512)
def parse(data: bytes) -> PatternList:
    """Read the bytes of a .gitignore file. Nothing in them is an error: git skips what it cannot use, and so do we."""
    patterns: list[Pattern] = []
    names: list[bytes] = []
    paths: list[bytes] = []
    groups = count()
    for line in _lines(data):
        negated = line.startswith(b"!")
        glob = line[1:] if negated else line
        only_folders = glob.endswith(b"/")
        glob = glob[:-1] if only_folders else glob
        by_name = b"/" not in glob
        if not by_name:
            glob = glob.removeprefix(b"/")
        try:
            regex = _translate(glob, groups)
        except _NeverMatches:
            continue
        end = rb"\0\Z" if only_folders else rb"\0?\Z"
        (names if by_name else paths).append(b"%s%s(?P<p%d>)" % (regex, end, len(patterns)))
        patterns.append(Pattern(negated, not _SPECIAL.search(glob)))
    return PatternList(tuple(patterns), _compile(names), _compile(paths))


def _compile(alternatives: list[bytes]) -> tuple[re.Pattern[bytes], ...]:
    # Alternatives are tried from the left, and the last pattern of a file is the one that counts.
    last_first = alternatives[::-1]
    starts = range(0, len(last_first), _ALTERNATIVES)
    return tuple(re.compile(b"|".join(last_first[start : start + _ALTERNATIVES])) for start in starts)


def _lines(data: bytes) -> Iterator[bytes]:
    for line in data.removeprefix(_BOM).split(b"\n"):
        # git reads C strings: a NUL ends the line.
        pattern = _without_trailing_spaces(line.removesuffix(b"\r").partition(b"\0")[0])
        if pattern and not line.startswith(b"#"):
            yield pattern


def _without_trailing_spaces(line: bytes) -> bytes:
    """A space behind a backslash stays, and so do tabs."""
    kept = line.rstrip(b" ")
    backslashes = len(kept) - len(kept.rstrip(b"\\"))
    return line[: len(kept) + 1] if backslashes % 2 else kept


def _translate(glob: bytes, groups: Iterator[int]) -> bytes:
    """The pattern as a regular expression, without its end."""
    if not glob:
        raise _NeverMatches
    special = _SPECIAL.search(glob)
    fixed = special.start() if special else len(glob)
    # git compares what stands before the first wildcard on its own, so that "**" right behind it begins a pattern.
    return re.escape(glob[:fixed]) + _assemble(list(_tokens(glob[fixed:])), groups)


def _tokens(glob: bytes) -> Iterator[bytes]:
    """_STAR, _FOLDERS, _ANYTHING, or the expression of one byte."""
    at = 0
    while at < len(glob):
        byte = glob[at : at + 1]
        if byte == b"\\":
            if at + 1 == len(glob):
                raise _NeverMatches
            yield re.escape(glob[at + 1 : at + 2])
            at += 2
        elif byte == b"?":
            yield rb"[^/\0]"
            at += 1
        elif byte == b"[":
            members, at = _bracket(glob, at + 1)
            yield members
        elif byte == b"*":
            start, at = at, len(glob) - len(glob[at:].lstrip(b"*"))
            token = _stars(glob, start, at)
            at += token == _FOLDERS
            yield token
        else:
            yield re.escape(byte)
            at += 1


def _stars(glob: bytes, start: int, end: int) -> bytes:
    """What a run of stars means: two or more are special only where they make up a whole name."""
    alone = start == 0 or glob[start - 1 : start] == b"/"
    if end - start == 1 or not alone:
        return _STAR
    if glob[end : end + 1] == b"/":
        return _FOLDERS
    return _ANYTHING if end == len(glob) or glob[end : end + 2] == rb"\/" else _STAR


def _bracket(glob: bytes, at: int) -> tuple[bytes, int]:
    """(expression, index behind it) of the bracket whose first byte after "[" is at `at`."""
    negated = glob[at : at + 1] in (b"!", b"^")
    at += negated
    members: set[int] = set()
    before = -1  # the byte a range may start from
    first = True
    while first or glob[at : at + 1] != b"]":
        first = False
        if glob[at : at + 1] == b"-" and before >= 0 and glob[at + 1 : at + 2] not in (b"", b"]"):
            end, at = _member(glob, at + 1)
            members |= set(range(before, end + 1))
            before = -1
        elif glob[at : at + 2] == b"[:" and (name_end := glob.find(b"]", at + 2)) < 0:
            raise _NeverMatches
        elif glob[at : at + 2] == b"[:" and name_end > at + 2 and glob[name_end - 1 : name_end] == b":":
            members |= _posix_class(glob[at + 2 : name_end - 1])
            before, at = -1, name_end + 1
        else:
            before, at = _member(glob, at)
            members.add(before)
    members = (set(range(256)) - members if negated else members) - {ord("/"), 0}
    if not members:
        raise _NeverMatches
    return b"[" + b"".join(re.escape(bytes([byte])) for byte in sorted(members)) + b"]", at + 1


def _member(glob: bytes, at: int) -> tuple[int, int]:
    """(byte, index behind it), a backslash taken off."""
    if glob[at : at + 1] == b"\\":
        at += 1
    if at >= len(glob):
        raise _NeverMatches
    return glob[at], at + 1


def _posix_class(name: bytes) -> frozenset[int]:
    if name not in _POSIX_CLASSES:
        raise _NeverMatches
    return _POSIX_CLASSES[name]


def _assemble(tokens: list[bytes], groups: Iterator[int]) -> bytes:
    """Join the tokens. The leftmost match of a part serves as well as any later one, since the next wildcard of the
    same kind takes up the difference: every part but the last may thus be atomic.
    """
    parts = _split(tokens, (_FOLDERS, _ANYTHING))
    out = [_within_names(parts[0][1], groups)]
    for index, (wildcard, part) in enumerate(parts[1:], 2):
        inner = _within_names(part, groups)
        if index == len(parts):
            out.append((rb"(?:[^\0]*/)?" if wildcard == _FOLDERS else rb"[^\0]*") + inner)
        else:
            out.append(_atomic((rb"(?:[^\0]*?/)??" if wildcard == _FOLDERS else rb"[^\0]*?") + inner, groups))
    return b"".join(out)


def _within_names(tokens: list[bytes], groups: Iterator[int]) -> bytes:
    parts = _split(tokens, (_STAR,))
    out = parts[0][1]
    for index, (_, part) in enumerate(parts[1:], 2):
        inner = b"".join(part)
        out = [*out, rb"[^/\0]*" + inner if index == len(parts) else _atomic(rb"[^/\0]*?" + inner, groups)]
    return b"".join(out)


def _split(tokens: list[bytes], wildcards: tuple[bytes, ...]) -> list[tuple[bytes, list[bytes]]]:
    """[(b"", tokens before the first wildcard), (wildcard, tokens behind it), …]"""
    parts: list[tuple[bytes, list[bytes]]] = [(b"", [])]
    for token in tokens:
        if token in wildcards:
            parts.append((token, []))
        else:
            parts[-1][1].append(token)
    return parts


def _atomic(expression: bytes, groups: Iterator[int]) -> bytes:
    """`(?>…)`, which `re` has only from Python 3.11 on."""
    name = b"g%d" % next(groups)
    return b"(?=(?P<%s>%s))(?P=%s)" % (name, expression, name)

"""Opening what should be a plain file, when it may turn out to be a link, a pipe or a device."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

SYMBOLIC_LINK = "symbolic link"
SPECIAL_FILE = "not a plain file"

_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"))
_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
# Windows has the tag but, elsewhere, Python has not the name.
_JUNCTION = 0xA0000003


class NotRegularError(OSError):
    """The path names something else than a plain file; the message says what."""


def is_link(status: os.stat_result) -> bool:
    """Whether an `lstat` result is a symbolic link or a Windows junction."""
    return stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) == _JUNCTION


@contextmanager
def open_regular(path: str, *, follow: bool = False) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """The open file and its status. Never blocks, never opens a link unless `follow`.

    Raises NotRegularError for everything that is not a plain file, OSError when it cannot be opened.
    """
    descriptor = _open(path, follow)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegularError(SPECIAL_FILE)
        file = os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise
    with file:
        yield file, status


def _open(path: str, follow: bool) -> int:
    if not follow and not _NO_FOLLOW and is_link(os.lstat(path)):
        raise NotRegularError(SYMBOLIC_LINK)
    try:
        return os.open(path, _FLAGS if follow else _FLAGS | _NO_FOLLOW)
    except OSError as error:
        # FreeBSD answers EMLINK to O_NOFOLLOW; opening a socket is ENXIO.
        if error.errno == errno.ENXIO:
            raise NotRegularError(SPECIAL_FILE) from error
        if not follow and error.errno in {errno.ELOOP, errno.EMLINK}:
            raise NotRegularError(SYMBOLIC_LINK) from error
        raise

"""Open a SQLite file safely: schema and version checks, transactions, and SQLite's errors as words for the user.

Every page ends with a checksum, which SQLite's checksum VFS proves when it reads one: a byte that changed on the disk
is an error and never a wrong answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import cast

import apsw
import apsw.sqlite_extra

from spencer_desktop.core import schema
from spencer_desktop.core.errors import EnvironmentFault, UserError

_BUSY_MS = 10_000
_CHECKSUM_VFS, _CHECKSUM_BYTES = "cksmvfs", 8
# A reader, too, needs a few pages of shared memory beside the file.
_NO_ROOM_BESIDE = (apsw.SQLITE_IOERR_SHMOPEN, apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMMAP)
_NOT_WHAT_WAS_WRITTEN = {
    apsw.SQLITE_IOERR_DATA: "a checksum is wrong",
    apsw.SQLITE_IOERR_SHORT_READ: "the file is too short",
}


class DamagedIndex(EnvironmentFault):
    """The file is not what was written. All but the list of folders can be made again, and that is kept beside it."""


def open_database(path: Path, *, writable: bool) -> apsw.Connection:
    """A connection to the catalogue at `path`, created when `writable`. Raises SpencerError when it cannot be used.

    An index of an older schema is emptied by the first writer, which keeps its list of repositories: everything else
    can be made again from the files. A reader refuses it, and everyone refuses a newer one.
    """
    with translated(path):
        connection = _opened(path, writable)
        if writable and int(connection.pragma("checksum_verification")) != 1:
            # It has checksums only now, and SQLite heeds them from when it opens the file.
            connection.close()
            connection = _opened(path, writable)
    return connection


def _opened(path: Path, writable: bool) -> apsw.Connection:
    connection = _connect(path, writable)
    try:
        connection.set_busy_timeout(_BUSY_MS)
        connection.execute("PRAGMA foreign_keys = ON")
        _require_whole_pages(path, connection)
        if writable:
            _prepare(path, connection)
        else:
            _require_current(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def is_immutable(connection: apsw.Connection) -> bool:
    """Whether what others write is not seen through it."""
    return bool(connection.open_flags & apsw.SQLITE_OPEN_URI)


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT; rolled back on any exception."""
    with translated(Path(connection.filename)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # A full disk makes SQLite roll back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def snapshot(connection: apsw.Connection) -> Iterator[None]:
    """Reads inside see one state of the database, whatever another process commits meanwhile."""
    if connection.in_transaction:
        yield
        return
    with translated(Path(connection.filename)):
        connection.execute("BEGIN")
        try:
            yield
        finally:
            # After some errors SQLite has ended the transaction by itself; the error is what the caller must see.
            if connection.in_transaction:
                connection.execute("ROLLBACK")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into EnvironmentFault with a remedy."""
    try:
        yield
    except apsw.FullError as error:
        raise EnvironmentFault(
            f"The disk is full: {path} could not be written", hint="Free some space and run the command again."
        ) from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
        raise EnvironmentFault(
            f"The index at {path} cannot be opened or written ({error})",
            hint="Check the folder's permissions, or choose another with --data-dir.",
        ) from error
    except apsw.BusyError as error:
        raise EnvironmentFault(
            f"The index at {path} is busy in another process", hint="Try again when the other `spencer` has finished."
        ) from error
    except (apsw.CorruptError, apsw.NotADBError, apsw.IOError) as error:
        code = _code(error)
        if isinstance(error, apsw.IOError) and code not in _NOT_WHAT_WAS_WRITTEN:
            raise EnvironmentFault(
                f"The index at {path} cannot be read or written ({error})",
                hint="Check the disk that it lies on, or choose another folder with --data-dir.",
            ) from error
        raise DamagedIndex(
            f"The index at {path} is damaged ({_NOT_WHAT_WAS_WRITTEN.get(code, error)})",
            hint="Run `spencer doctor --repair`: it is set aside, and made again from your files.",
        ) from error


def _code(error: apsw.Error) -> int:
    """SQLite's extended code of an error; 0 for one that is not SQLite's."""
    return int(getattr(error, "extendedresult", 0))


@cache
def _checksum_vfs() -> str:
    """The name of the VFS, which SQLite knows from the first call on."""
    connection = apsw.Connection(":memory:")
    try:
        apsw.sqlite_extra.load(connection, "cksumvfs")
    except (apsw.Error, LookupError, OSError, apsw.sqlite_extra.NotAvailable) as error:
        raise EnvironmentFault(
            f"SQLite's checksums cannot be loaded: {error}", hint="pip install --force-reinstall apsw"
        ) from error
    finally:
        connection.close()
    return _CHECKSUM_VFS


def _connect(path: Path, writable: bool) -> apsw.Connection:
    vfs = _checksum_vfs()
    if writable:
        return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, vfs=vfs)
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        connection.execute("SELECT count(*) FROM sqlite_schema")
        return connection
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.FullError, apsw.IOError) as error:
        # In a read-only folder, or on a full disk, a WAL database opens only as immutable, which is safe while no WAL
        # file holds changes.
        if isinstance(error, apsw.IOError) and _code(error) not in _NO_ROOM_BESIDE:
            raise
        if not path.exists() or _has_changes_waiting(path):
            raise
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return apsw.Connection(f"{path.absolute().as_uri()}?immutable=1&vfs={vfs}", flags=flags)


def _prepare(path: Path, connection: apsw.Connection) -> None:
    version = _version(path, connection)
    if version == 0:
        connection.reserve_bytes(reserve=_CHECKSUM_BYTES)
    connection.execute("PRAGMA journal_mode = WAL")
    # What was said to be done survives a power cut; commits are few and large, so the fsync of each costs little.
    connection.execute("PRAGMA synchronous = FULL")
    if version != schema.VERSION:
        _make_tables(path, connection)
    if connection.reserve_bytes() != _CHECKSUM_BYTES:
        connection.reserve_bytes(reserve=_CHECKSUM_BYTES)
        connection.execute("VACUUM")


def _make_tables(path: Path, connection: apsw.Connection) -> None:
    with transaction(connection):
        # Another process may have been first.
        version = _version(path, connection)
        if version == schema.VERSION:
            return
        repositories = [] if version == 0 else _repositories(connection)
        _drop_everything(connection)
        connection.execute(schema.TABLES)
        connection.executemany("INSERT INTO repository (root, name, added_at) VALUES (?, ?, ?)", repositories)
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")


def _require_whole_pages(path: Path, connection: apsw.Connection) -> None:
    """SQLite takes what is missing of the last page for zeros, and does not prove it."""
    if not _has_changes_waiting(path) and path.stat().st_size % int(connection.pragma("page_size")):
        raise apsw.CorruptError("it does not end with a page")


def _has_changes_waiting(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


def _version(path: Path, connection: apsw.Connection) -> int:
    """0 for an empty file. Raises UserError for a file that is not ours or that a newer program wrote."""
    version = int(connection.pragma("user_version"))
    application = int(connection.pragma("application_id"))
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if empty:
        return 0
    if application != schema.APPLICATION_ID:
        raise UserError(f"{path} is not a SPENCER index", hint="Choose another folder with --data-dir.")
    if version > schema.VERSION:
        raise UserError(
            f"The index at {path} was written by a newer version (schema {version}, this program reads"
            f" {schema.VERSION})",
            hint="Use the newer program, or choose another folder with --data-dir.",
        )
    return version


def _require_current(path: Path, connection: apsw.Connection) -> None:
    if (_version(path, connection), connection.reserve_bytes()) != (schema.VERSION, _CHECKSUM_BYTES):
        raise UserError(
            f"The index at {path} was written by an older version",
            hint="Run `spencer index` once to bring it up to date.",
        )


def _repositories(connection: apsw.Connection) -> list[tuple[bytes, str, float]]:
    rows = connection.execute("SELECT root, name, added_at FROM repository").fetchall()
    return cast("list[tuple[bytes, str, float]]", rows)


def _drop_everything(connection: apsw.Connection) -> None:
    connection.execute("PRAGMA defer_foreign_keys = ON")
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    virtual = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'"
    # Dropping a virtual table drops its shadow tables with it.
    for sql in (virtual, query):
        for (name,) in connection.execute(sql).fetchall():
            connection.execute(f'DROP TABLE IF EXISTS "{name}"')

"""Open a SQLite file safely: schema and version checks, transactions, and SQLite's errors as words for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import apsw

from spencer_desktop.core import schema
from spencer_desktop.core.errors import EnvironmentFault, UserError

_BUSY_MS = 10_000


def open_database(path: Path, *, writable: bool) -> apsw.Connection:
    """A connection to the catalogue at `path`, created when `writable`. Raises SpencerError when it cannot be used.

    An index of an older schema is emptied by the first writer, which keeps its list of repositories: everything else
    can be made again from the files. A reader refuses it, and everyone refuses a newer one.
    """
    with translated(path):
        connection = _connect(path, writable)
        try:
            connection.set_busy_timeout(_BUSY_MS)
            connection.execute("PRAGMA foreign_keys = ON")
            if writable:
                _prepare(path, connection)
            else:
                _require_current(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


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
        raise EnvironmentFault(
            f"The index at {path} is damaged ({error})",
            hint=f"Move {path} away and run `spencer index` again: everything in it is made from your files.",
        ) from error


def _connect(path: Path, writable: bool) -> apsw.Connection:
    if writable:
        return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.execute("SELECT count(*) FROM sqlite_schema")
        return connection
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        # In a read-only folder a WAL database opens only as immutable, which is safe while no WAL file holds changes.
        wal = path.with_name(path.name + "-wal")
        if not path.exists() or (wal.exists() and wal.stat().st_size):
            raise
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)


def _prepare(path: Path, connection: apsw.Connection) -> None:
    version = _version(path, connection)
    connection.execute("PRAGMA journal_mode = WAL")
    # What was said to be done survives a power cut; commits are few and large, so the fsync of each costs little.
    connection.execute("PRAGMA synchronous = FULL")
    if version == schema.VERSION:
        return
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
    if _version(path, connection) != schema.VERSION:
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

"""The catalogue's tables. A change here, in chunking or in `text.terms` needs a new VERSION."""

from __future__ import annotations

APPLICATION_ID = 0x53504E43  # "SPNC"
VERSION = 2

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE repository (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    root BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    added_at REAL NOT NULL,
    indexed_at REAL
);

CREATE TABLE file (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id INTEGER NOT NULL REFERENCES repository(id) ON DELETE CASCADE,
    path BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest BLOB NOT NULL,
    language TEXT NOT NULL,
    problem TEXT NOT NULL,
    UNIQUE (repository_id, path)
);

CREATE TABLE skipped (
    repository_id INTEGER NOT NULL REFERENCES repository(id) ON DELETE CASCADE,
    path BLOB NOT NULL,
    reason TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    PRIMARY KEY (repository_id, path)
) WITHOUT ROWID;

-- What is encoded, once for each distinct input of the code encoder. Rows outlive their chunks, so that a branch
-- switched back encodes nothing; `forget_orphans` drops them.
CREATE TABLE content (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    header TEXT NOT NULL,
    text TEXT NOT NULL
);

CREATE TABLE vector (
    content_id INTEGER PRIMARY KEY REFERENCES content(id) ON DELETE CASCADE,
    data BLOB NOT NULL
);

CREATE TABLE chunk (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file_id INTEGER NOT NULL REFERENCES file(id),
    content_id INTEGER NOT NULL REFERENCES content(id),
    kind TEXT NOT NULL,
    symbol TEXT NOT NULL,
    signature TEXT NOT NULL,
    doc TEXT NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    unit_start_line INTEGER NOT NULL,
    unit_end_line INTEGER NOT NULL
);
CREATE INDEX chunk_by_file ON chunk(file_id);
CREATE INDEX chunk_by_content ON chunk(content_id);

-- rowid = chunk.id. What goes in is `text.terms`: identifiers split and stemmed.
CREATE VIRTUAL TABLE posting USING fts5(
    path, symbol, doc, body,
    content='', contentless_delete=1, tokenize="unicode61 tokenchars '_'"
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab(posting, row);
"""

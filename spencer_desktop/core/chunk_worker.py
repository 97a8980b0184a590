"""Chunking in a child process that can be killed.

No tree-sitter parser can be bounded from inside: 50,000 nested parentheses take seconds, a single real file has taken
minutes, and a parser may run out of memory or crash. So files are parsed in a child with a deadline; where that fails,
the file is cut into plain line windows here, and the next file gets a new child.

Parent and child speak JSON, one line for a question and one for its answer: a child whose memory a hostile file has
damaged can then say something wrong, but cannot make the parent run anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from spencer_desktop.core.chunking import DEFAULT_LIMITS, ChunkLimits, chunk_file, window_chunks
from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.grammars import has_grammar
from spencer_desktop.core.priority import stay_back
from spencer_desktop.core.types import Chunk

if sys.platform != "win32":
    import resource

MAX_SOURCE_CHARS = 2_000_000
MAX_MEMORY_BYTES = 2 << 30
LOOK_AHEAD = 16

_START_S = 60.0
_READY = b"ready\n"
# Isolated from the environment and the current folder, which may be a hostile repository with a `json.py` in it;
# modules are found where this process finds them.
_BOOT = (
    "import json, sys; options = json.loads(sys.argv[1]); sys.path[:] = options.pop('path'); "
    "from spencer_desktop.core.chunk_worker import serve; serve(**options)"
)


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """The chunks of a file, and in `problem` why they are only line windows ("" when all went well)."""

    chunks: tuple[Chunk, ...]
    problem: str = ""


class ChunkWorker:
    """Owns the child. A context manager; `chunk` and `chunk_many` may be called from any one thread at a time.

    `deadline_s` bounds the parsing of one file, `memory_bytes` the child (where the system can). Raises
    EnvironmentFault when a child cannot be started.
    """

    def __init__(
        self,
        *,
        limits: ChunkLimits = DEFAULT_LIMITS,
        deadline_s: float = 5.0,
        memory_bytes: int = MAX_MEMORY_BYTES,
        max_source_chars: int = MAX_SOURCE_CHARS,
    ) -> None:
        self._limits = limits
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._max_source_chars = max_source_chars
        # One thread talks to the child; callers wait for it or run ahead of it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chunk-worker")
        self._lock = threading.Lock()
        self._closed = False
        self._child: _Child | None = None

    def __enter__(self) -> ChunkWorker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id; None before the first file that needs it."""
        child = self._child
        return child.pid if child else None

    def chunk(self, path: str, language: str, source: str) -> ChunkResult:
        """The chunks of one file, at the latest a little after the deadline."""
        return self._thread.submit(self._chunk, path, language, source).result()

    def chunk_many(self, files: Iterable[tuple[str, str, str]]) -> Iterator[ChunkResult]:
        """The results for (path, language, source), in order. `files` is read at most `LOOK_AHEAD` ahead, so that the
        child works while the caller does."""
        pending: deque[Future[ChunkResult]] = deque()
        try:
            for path, language, source in files:
                pending.append(self._thread.submit(self._chunk, path, language, source))
                if len(pending) > LOOK_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """End the child at once; a file in work is given up. May be called again."""
        with self._lock:
            self._closed = True
            if self._child:
                self._child.kill()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._end_child()

    def _chunk(self, path: str, language: str, source: str) -> ChunkResult:
        if not has_grammar(language):
            return ChunkResult(tuple(window_chunks(language, source, self._limits)))
        if len(source) > self._max_source_chars:
            return self._plain(language, source, f"longer than {self._max_source_chars:,} characters")
        question = json.dumps([path, language, source]).encode("ascii") + b"\n"
        try:
            # A child may have died before its turn, killed to free memory: that is not this file's fault.
            answer = self._ask(question) or self._ask(question)
        except TimeoutError:
            return self._plain(language, source, f"parsing took longer than {self._deadline_s:g} s")
        if not answer:
            return self._plain(language, source, "the parser crashed")
        try:
            told = json.loads(answer)
            if isinstance(told, str):
                return self._plain(language, source, told)
            return ChunkResult(tuple(_from_row(language, row) for row in told))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
            # Its memory may be damaged: the next file gets another.
            self._end_child()
            return self._plain(language, source, "the parser's answer made no sense")

    def _plain(self, language: str, source: str, why: str) -> ChunkResult:
        return ChunkResult(tuple(window_chunks(language, source, self._limits)), f"{why}; indexed as plain lines")

    def _ask(self, question: bytes) -> bytes:
        """The child's answer, b"" when it died. Raises TimeoutError; either way the child is gone then."""
        child = self._ready_child()
        answer = b""
        try:
            answer = child.ask(question, self._deadline_s)
        finally:
            if not answer:
                self._end_child()
        return answer

    def _end_child(self) -> None:
        if self._child:
            self._child.close()
            self._child = None

    def _ready_child(self) -> _Child:
        if self._child is not None:
            return self._child
        with self._lock:
            if self._closed:
                raise RuntimeError("the chunk worker is closed")
            try:
                child = self._child = _Child(self._options())
            except OSError as error:
                raise _not_started(str(error)) from error
        try:
            ready = child.receive(_START_S) == _READY
        except TimeoutError:
            ready = False
        if not ready:
            self._end_child()
            if self._closed:
                # Killed while it started: nobody would wake whoever asked it now.
                raise RuntimeError("the chunk worker is closed")
            raise _not_started("it ended at once, or gave no sign")
        return child

    def _options(self) -> dict[str, Any]:
        return {
            "path": [entry for entry in sys.path if Path(entry).is_absolute()],
            "deadline_s": self._deadline_s,
            "memory_bytes": self._memory_bytes,
            "limits": dataclasses.asdict(self._limits),
        }


def _not_started(why: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"The process that parses source files does not start: {why}.",
        hint=f"Check that {sys.executable} runs, and that memory and process limits leave room for it.",
    )


class _Child:
    """One process and the thread that reads what it says."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOT, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Out of the terminal's process group: Ctrl-C is for the parent to handle.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0)
            | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="chunk-worker-reader", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # Half a line is what a process leaves that was killed while it wrote.
            if line.endswith(b"\n"):
                self._answers.put(line)
        self._answers.put(b"")

    def ask(self, question: bytes, deadline_s: float) -> bytes:
        """The answer, b"" when the process has ended; TimeoutError when it is not there in time."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(question)
            self._process.stdin.flush()
        return self.receive(deadline_s)

    def receive(self, timeout_s: float) -> bytes:
        try:
            return self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            # What could not be written to a dead process cannot be flushed either.
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()


def serve(deadline_s: float, memory_bytes: int, limits: dict[str, int]) -> None:
    """The child: answers until its input ends, which it does when the parent does, however that dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stay_back()
    _limit_memory(memory_bytes)
    chunk_limits = ChunkLimits(**limits)
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout.buffer.write(_READY)
        sys.stdout.buffer.flush()
        for question in sys.stdin.buffer:
            # A killed parent cannot end this process, nor can Python code here stop a parser: this thread does.
            faulthandler.dump_traceback_later(2 * deadline_s + 1, exit=True, file=nowhere)
            answer = _answer(question, chunk_limits)
            faulthandler.cancel_dump_traceback_later()
            sys.stdout.buffer.write(answer)
            sys.stdout.buffer.flush()


def _answer(question: bytes, limits: ChunkLimits) -> bytes:
    """The chunks as rows, or a sentence that says what went wrong."""
    path, language, source = json.loads(question)
    told: str | list[list[Any]]
    try:
        told = [_to_row(chunk) for chunk in chunk_file(path, language, source, limits)]
    except Exception as error:  # noqa: BLE001 - whatever one file brings about, the parent reports it and goes on
        told = f"the parser failed ({type(error).__name__}: {error})"
    return json.dumps(told).encode("ascii") + b"\n"


def _to_row(chunk: Chunk) -> list[Any]:
    return [getattr(chunk, name) for name in _WIRE_FIELDS]


def _from_row(language: str, row: list[Any]) -> Chunk:
    values = dict(zip(_WIRE_FIELDS, row, strict=True))
    if [type(value).__name__ for value in row[:-1]] != _WIRE_TYPES:
        raise TypeError("not the values of a chunk")
    values["doc_span"] = tuple(row[-1]) if row[-1] else None
    return Chunk(language=language, **values)


# All but the language, which the parent knows; `doc_span` is the last.
_WIRE_FIELDS = [field.name for field in dataclasses.fields(Chunk)][1:]
_WIRE_TYPES = [str(field.type) for field in dataclasses.fields(Chunk)][1:-1]


def _limit_memory(memory_bytes: int) -> None:
    """Bound the address space and leave no core file, where the system can; macOS refuses the former."""
    if sys.platform != "win32":
        for limit, value in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CORE, 0)):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))

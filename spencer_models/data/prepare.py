"""A recipe's sources, or a team's own code → one corpus folder."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from spencer_desktop.core.chunk_worker import ChunkWorker
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.languages import canonical_language
from spencer_models.data.builder import CorpusBuilder, source_name
from spencer_models.data.corpus import SPLITS, TEST, TRAIN, VALID, told_left_out
from spencer_models.data.filters import MINED_LANGUAGES
from spencer_models.data.leakage import HeldOut
from spencer_models.data.licences import stated_licence
from spencer_models.data.mining import Mined, function_chunker
from spencer_models.data.readers import FORMATS
from spencer_models.data.sources import REGISTRIES, DataConfig, FileSource, TreeSource
from spencer_models.data.trees import Tree, find_tree, installed_tree, package_name, tree_at
from spencer_models.progress import Report

S = TypeVar("S")
T = TypeVar("T")


def build_corpus(
    config: DataConfig, roots: Sequence[Path], held_out: HeldOut, folder: Path, report: Report
) -> dict[str, Any]:
    """Mines, reads, filters and writes the corpus to `folder`; returns the summary that it also writes.

    The same inputs give the same bytes. Nothing that `held_out` holds is in it. UserError when a source is not there,
    is of another version, or holds nothing that can be used.
    """
    # All sources are found before the first is mined, which may take long.
    trees, files = find_sources(config, roots)
    share = config.held_out_share
    builder = CorpusBuilder([canonical_language(x) for x in config.languages], held_out, share, share, report)
    with closing(_mined(builder, config.trees, trees)) as packages:
        for tree_source, tree, mined in packages:
            licence = tree_source.licence or stated_licence(tree_source, tree)
            builder.add(tree_source, mined, licence, tree_source.max_pairs or config.max_pairs_per_tree)
    for file_source, paths in zip(config.files, files, strict=True):
        builder.read(file_source, paths)
    return builder.write(folder)


def _mined(
    builder: CorpusBuilder, sources: Sequence[TreeSource], trees: Sequence[Tree]
) -> Generator[tuple[TreeSource, Tree, Mined], None, None]:
    """Each source with its tree and what it holds, in order; as many at once as there are cores."""
    count = max(1, min(len(sources), os.cpu_count() or 1))
    idle: SimpleQueue[ChunkWorker] = SimpleQueue()

    def one(source: TreeSource, tree: Tree) -> tuple[TreeSource, Tree, Mined]:
        worker = idle.get()
        try:
            return source, tree, builder.mined(source, tree, worker)
        finally:
            idle.put(worker)

    with ExitStack() as stack:
        pool = ThreadPoolExecutor(count, "mining")
        stack.callback(pool.shutdown, cancel_futures=True)
        # Closed before the pool: whoever stops early does not wait for what is being mined.
        for _ in range(count):
            idle.put(stack.enter_context(function_chunker()))
        waiting: deque[Future[tuple[TreeSource, Tree, Mined]]] = deque()
        for source, tree in zip(sources, trees, strict=True):
            waiting.append(pool.submit(one, source, tree))
            # What a slow package holds up is kept whole in memory.
            if len(waiting) > 2 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def pair_files(config: DataConfig, roots: Sequence[Path]) -> list[Path]:
    """The files of `config.files` that are there; `build_corpus` tells of the others. UserError as `find_sources`."""
    _check(config)
    return list(chain.from_iterable(_found(config.files, lambda source: _files(source, roots), [])))


def find_sources(config: DataConfig, roots: Sequence[Path]) -> tuple[list[Tree], list[list[Path]]]:
    """The tree of each of `config.trees` and the files of each of `config.files`.

    UserError when the sources contradict each other; and one that names all that are missing or of another version.
    """
    _check(config)
    faults: list[UserError] = []
    trees = _found(config.trees, lambda source: _tree(source, roots), faults)
    files = _found(config.files, lambda source: _files(source, roots), faults)
    if faults:
        hints = dict.fromkeys(fault.hint for fault in faults if fault.hint)
        raise UserError("\n  ".join(map(str, faults)), hint="\n  ".join(hints))
    return trees, files


def _found(sources: Iterable[S], find: Callable[[S], T], faults: list[UserError]) -> list[T]:
    found = []
    for source in sources:
        try:
            found.append(find(source))
        except UserError as fault:
            faults.append(fault)
    return found


def prepare_paths(
    paths: Sequence[Path],
    folder: Path,
    held_out: HeldOut,
    *,
    valid: Sequence[str],
    test: Sequence[str],
    held_out_share: float,
    report: Report,
) -> dict[str, Any]:
    """Mines a team's own code: each path is one package, called like its folder or archive; returns the summary.

    The packages that `valid` and `test` name are held out whole. Where one of the two names none, that split gets
    `held_out_share` of the files of the other packages, chosen by the hash of package and path, so always the same
    ones. UserError when a path or a named package does not exist, or no documented function is found.
    """
    names = [package_name(path) for path in paths]
    sources = [TreeSource(name, version="", split=_named_split(name, valid, test)) for name in names]
    _check_names(names)
    for name in (*valid, *test):
        if name not in names:
            raise UserError(f"No package is called {name}.", hint=f"The packages are {', '.join(sorted(names))}.")
    trees = [find_tree(path) for path in paths]
    valid_share, test_share = (0.0 if named else held_out_share for named in (valid, test))
    builder = CorpusBuilder((), held_out, valid_share, test_share, report)
    with closing(_mined(builder, sources, trees)) as packages:
        for source, _, mined in packages:
            builder.add(source, mined, "", 0)
    if builder.is_empty():
        raise UserError(
            f"No documented function was found in {', '.join(map(str, paths))}.",
            hint=f"Looked for {', '.join(MINED_LANGUAGES)}; files that an ignore file names are left out. "
            + told_left_out([builder.left_out()]),
        )
    summary = builder.write(folder)
    for split in (TRAIN, VALID, TEST):
        if not summary["pairs"].get(split):
            report(f"Nothing is in the split {split}: a larger --held-out-share, or naming whole packages, fills it.")
    return summary


def _named_split(name: str, valid: Sequence[str], test: Sequence[str]) -> str:
    if name in valid and name in test:
        raise UserError(f"{name} cannot be held out for validation and for the test.", hint="Name it once.")
    others = TRAIN if valid and test else ""
    return VALID if name in valid else TEST if name in test else others


def _check(config: DataConfig) -> None:
    _check_names([*(tree.name for tree in config.trees), *map(source_name, config.files)])
    if not 0 <= config.held_out_share < 0.5:
        raise UserError(f"held_out_share is {config.held_out_share}", hint="It must be at least 0 and less than 0.5.")
    for tree in config.trees:
        if tree.origin and (tree.registry not in REGISTRIES or not tree.package):
            raise UserError(
                f"The origin {tree.origin!r} is none", hint=f"Write {', '.join(f'{x}:NAME' for x in REGISTRIES)}."
            )
    for split in (*(tree.split for tree in config.trees), *(file.split for file in config.files)):
        if split not in ("", *SPLITS):
            raise UserError(f"There is no split {split!r}", hint=f"The splits are {', '.join(SPLITS)}.")
    for file in config.files:
        if file.format not in FORMATS:
            raise UserError(f"There is no format {file.format!r}", hint=f"Known are {', '.join(FORMATS)}.")


def _check_names(names: Iterable[str]) -> None:
    name, count = max(Counter(names).items(), key=lambda item: item[1], default=("", 1))
    if count > 1:
        raise UserError(f"Several sources are called {name}.", hint="Each needs a name of its own.")


def _tree(source: TreeSource, roots: Sequence[Path]) -> Tree:
    if not source.place:
        return installed_tree(source.name, source.version)
    places = (root / source.place for root in roots)
    place = next((path for path in places if path.exists() or tree_at(path)), None)
    if place is None:
        raise _missing(source.place, roots, "`spencer-models fetch` brings it. " if source.origin else "")
    return find_tree(place)


def _files(source: FileSource, roots: Sequence[Path]) -> list[Path]:
    """The files of a source; of a folder, those whose names fit the format, at any depth."""
    patterns = FORMATS[source.format].patterns
    found: list[Path] = []
    for place in _matches(source.path, roots):
        found += [place] if place.is_file() else sorted({p for pattern in patterns for p in place.rglob(pattern)})
    if not found:
        raise UserError(f"{source.path} holds no {' or '.join(patterns)}", hint="Name its parent folder by --data.")
    return found


def _matches(path: str, roots: Sequence[Path]) -> list[Path]:
    """What `path`, which may be a glob, stands for below the first root that has it. UserError where none has."""
    for root in roots:
        globbed = [] if Path(path).is_absolute() else root.glob(path)
        found = [root / path] if (root / path).exists() else sorted(globbed)
        if found:
            return found
    raise _missing(path, roots)


def _missing(path: str, roots: Sequence[Path], remedy: str = "") -> UserError:
    looked = ", ".join(map(str, roots)) or "no folder at all"
    return UserError(
        f"The recipe reads {path}, which is not there",
        hint=f"{remedy}Looked in {looked}; name the folder that holds it by --data. The head of the recipe, or of the"
        " one it extends, says what that is.",
    )

"""Which ignore files speak about a path, and which of them has the last word.

Three kinds of file, later wins whatever their folder: `.gitignore`, `.ignore`, `.spencerignore`. Of one kind, the file
in the deepest folder wins. Below `.spencerignore`'s own stand the patterns that a user set for every folder. Below
`.gitignore` stand `.git/info/exclude` and, last, git's global excludes. `.gitignore`
and the global excludes count in plain folders as in repositories. Inside a nested repository (a submodule, a clone, a
worktree) git's rules begin anew; `.ignore` and `.spencerignore` are not git's and reach inside.

A file that git tracks although it is ignored is ignored here: the rules alone decide, so that the answer does not
depend on what happens to be staged.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from spencer_desktop.core.gitignore import FOLDER_MARK, PatternList, parse
from spencer_desktop.core.regular import open_regular

GITIGNORE, IGNORE, SPENCERIGNORE = ".gitignore", ".ignore", ".spencerignore"
IGNORE_FILES = frozenset({GITIGNORE, IGNORE, SPENCERIGNORE})
_TELLING = IGNORE_FILES | {".git"}

# Some fifty times what people write. Every pattern costs time at every file; the walk reports a file that is larger.
MAX_IGNORE_BYTES = 200_000

# Set by git while it runs a hook: they would make git answer for another repository than the one asked about.
_GIT_LOCATION = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_CONFIG", "GIT_PREFIX")
_GIT_SECONDS = 10.0
_POINTER = b"gitdir: "


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A git working tree. `common` is the git folder that all its worktrees share, most often `.git`."""

    top: Path
    common: Path


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a path. `origin` is the file that said it.

    `restores` means that a line of `.ignore` or `.spencerignore` without wildcards asks for exactly this name.
    """

    ignored: bool
    origin: str
    restores: bool


@dataclass(frozen=True, slots=True)
class _Scope:
    """One ignore file; its patterns see what follows the first `base` bytes of a path."""

    patterns: PatternList
    base: int
    origin: str
    about_search: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """All that has a say in one folder. Each tuple has the strongest first."""

    spencer: tuple[_Scope, ...] = ()
    search: tuple[_Scope, ...] = ()
    git: tuple[_Scope, ...] = ()

    def verdict(self, path: bytes, name_at: int) -> Verdict | None:
        """What the strongest rule says of `path`, whose last name begins at `name_at`; None when none speaks.

        `path` is counted from where the rules began (`rules_above`), and ends with FOLDER_MARK for a folder. That no
        parent folder is ignored is up to the caller.
        """
        for scopes in (self.spencer, self.search, self.git):
            for scope in scopes:
                if pattern := scope.patterns.last_match(path, scope.base, name_at):
                    restores = pattern.negated and pattern.literal and scope.about_search
                    return Verdict(not pattern.negated, scope.origin, restores)
        return None

    def with_exclusions(self, patterns: str, base: int) -> Rules:
        """These rules and a user's own, with blanks between them; they see what follows the first `base` bytes."""
        parsed = parse("\n".join(patterns.split()).encode("utf-8", "surrogatepass"))
        if not parsed.patterns:
            return self
        own = _Scope(parsed, base, "the setting exclude", about_search=True)
        return replace(self, spencer=(*self.spencer, own))

    def enter(self, location: str, names: frozenset[str], base: int, shown: str) -> Rules:
        """The rules inside a folder, given the names in it. `base` is the length of its path, with its slash.

        `shown` is put before a file's name in `Verdict.origin`. A file that cannot be read counts as absent, as in git.
        """
        if _TELLING.isdisjoint(names):
            return self
        rules, folder = self, Path(location)
        if ".git" in names and (tree := work_tree_at(folder)):
            rules = replace(rules, git=_repository_scopes(tree, base, shown))
        if GITIGNORE in names:
            rules = replace(rules, git=_scope(folder, GITIGNORE, base, shown) + rules.git)
        if IGNORE in names:
            rules = replace(rules, search=_scope(folder, IGNORE, base, shown) + rules.search)
        if SPENCERIGNORE in names:
            rules = replace(rules, spencer=_scope(folder, SPENCERIGNORE, base, shown) + rules.spencer)
        return rules


def rules_above(root: Path) -> tuple[Rules, bytes]:
    """(rules that reach into `root` from outside, path from where they begin to `root`: b"" or with a last slash).

    `root` is absolute. Inside a repository the rules begin at its top. Where they ignore `root` itself they are
    dropped: whoever names an ignored folder wants to see it.
    """
    top = enclosing_top(root)
    if top == root:
        return Rules(), b""  # `enter` adds the rules of a repository at its top
    if top is None:
        return Rules(git=_global_scopes(root, base=0)), b""
    rules, path, folder = Rules(), b"", top
    for name in root.relative_to(top).parts:
        rules = rules.enter(str(folder), _TELLING, len(path), shown=f"{folder}{os.sep}")
        name_at, path = len(path), path + os.fsencode(name)
        verdict = rules.verdict(path + FOLDER_MARK, name_at)
        if verdict and verdict.ignored:
            return Rules(git=_global_scopes(root, base=0)), b""
        folder, path = folder / name, path + b"/"
    return rules, path


def enclosing_top(folder: Path) -> Path | None:
    """The top of the git working tree that `folder` (absolute) lies in, None when it lies in none."""
    return next((candidate for candidate in (folder, *folder.parents) if work_tree_at(candidate)), None)


def work_tree_at(folder: Path) -> WorkTree | None:
    """The work tree whose top is `folder`; None when there is no `.git`, or one that git would not accept either."""
    git = folder / ".git"
    try:
        if not git.is_dir():
            pointer = _read(git, follow=True)
            if not pointer.startswith(_POINTER):
                return None
            git = folder / os.fsdecode(pointer[len(_POINTER) :].rstrip(b"\r\n"))
        common = git / os.fsdecode(_read(git / "commondir", follow=True).rstrip(b"\r\n"))
        os.lstat(git / "HEAD")
        complete = (common / "objects").is_dir() and (common / "refs").is_dir()
    except (OSError, ValueError):  # ValueError: a pointer with a NUL in it
        return None
    return WorkTree(folder, common) if complete else None


def _repository_scopes(tree: WorkTree, base: int, shown: str) -> tuple[_Scope, ...]:
    patterns = parse(_read(tree.common / "info" / "exclude", follow=True))
    own = (_Scope(patterns, base, f"{shown}.git/info/exclude", about_search=False),) if patterns.patterns else ()
    return own + _global_scopes(tree.top, base)


def _global_scopes(folder: Path, base: int) -> tuple[_Scope, ...]:
    path = global_excludes(folder)
    patterns = parse(_read(path, follow=True))
    return (_Scope(patterns, base, str(path), about_search=False),) if patterns.patterns else ()


def _scope(folder: Path, name: str, base: int, shown: str) -> tuple[_Scope, ...]:
    # git refuses a .gitignore that is a symbolic link (since 2.32).
    patterns = parse(_read(folder / name, follow=False))
    return (_Scope(patterns, base, f"{shown}{name}", about_search=name != GITIGNORE),) if patterns.patterns else ()


def global_excludes(folder: Path) -> Path:
    """The user's excludes file for `folder`: `core.excludesFile`, or where git looks without it. It need not exist."""
    # Path.expanduser raises where there is no home, as in a container that runs as a nameless user.
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    default = Path(config, "git", "ignore")
    git = shutil.which("git")
    # On Windows a git.exe in the current folder comes first, as a relative path: it may be anybody's.
    if not git or not Path(git).is_absolute():
        return default
    try:
        answer = subprocess.run(
            [git, "config", "-z", "--get", "--path", "core.excludesFile"],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name not in _GIT_LOCATION},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_SECONDS,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return default
    return folder / os.fsdecode(answer.stdout.rstrip(b"\0")) if answer.returncode == 0 else default


def _read(path: Path, *, follow: bool) -> bytes:
    try:
        with open_regular(str(path), follow=follow) as (file, status):
            return file.read(MAX_IGNORE_BYTES) if status.st_size <= MAX_IGNORE_BYTES else b""
    except OSError:
        return b""

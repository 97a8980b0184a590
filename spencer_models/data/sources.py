"""What a corpus is made of, as a recipe says it."""

from __future__ import annotations

import re
from dataclasses import dataclass

PYPI, NPM, DEBIAN, DEBIAN_SOURCE = "pypi", "npm", "debian", "debian-source"
REGISTRIES = (PYPI, NPM, DEBIAN, DEBIAN_SOURCE)

# Debian's packages are unpacked to a folder.
_ENDINGS = {PYPI: ".whl", NPM: ".tgz", DEBIAN: "", DEBIAN_SOURCE: ""}


@dataclass(frozen=True, slots=True)
class TreeSource:
    """One package whose documented functions are mined.

    With an `origin`, "pypi:NAME", "npm:NAME", "debian:NAME" or "debian-source:NAME", it is the package NAME in that
    `version`, which `fetch` brings to a data root, or what stands at `path` in it. Without one, `path` is a folder, a
    .zip or a .tar.gz relative to a data root, or a folder in such an archive; with an empty `path`, too, `name` is an
    installed Python distribution, or "python-stdlib", and `version` must be the installed one.

    All of the package belongs to `split`; with an empty `split`, each file goes where the hash of its path says.
    `max_pairs` 0: the limit of the corpus.
    """

    name: str
    version: str
    split: str
    path: str = ""
    licence: str = ""
    max_pairs: int = 0
    origin: str = ""

    @property
    def registry(self) -> str:
        """The registry of `origin`; "" where there is none."""
        return self.origin.partition(":")[0]

    @property
    def package(self) -> str:
        """What the registry calls the package."""
        return self.origin.partition(":")[2]

    @property
    def package_place(self) -> str:
        """Where `fetch` puts the package, relative to a data root; "" without an origin."""
        if not self.origin:
            return ""
        # Scopes have a slash, epochs a colon.
        name = re.sub("[/:]", "+", f"{self.package}-{self.version}")
        return f"{self.registry}/{name}{_ENDINGS[self.registry]}"

    @property
    def place(self) -> str:
        """What is mined, relative to a data root; "" for an installed distribution."""
        return "/".join(part for part in (self.package_place, self.path) if part)


@dataclass(frozen=True, slots=True)
class FileSource:
    """Ready-made pairs: a file, a folder of them, or a glob, relative to a data root.

    `format` is a key of `spencer_models.data.readers.FORMATS`. Everything belongs to `split`; where that is empty, to
    the split that the record or the file's name states, else to the one that the hash of the question says, all answers
    of one question together. An empty `name` stands for `path` without its ending; `max_pairs` 0 for no limit.
    """

    format: str
    path: str
    split: str = ""
    name: str = ""
    licence: str = ""
    max_pairs: int = 0


@dataclass(frozen=True, slots=True)
class DataConfig:
    """A corpus. Where no split is given, `held_out_share` of the questions are for each of validation and test.

    At most `max_pairs_per_tree` pairs come from one package (0: no limit). `languages` are all that is mined and read;
    empty stands for every one.
    """

    held_out_share: float
    max_pairs_per_tree: int
    trees: tuple[TreeSource, ...] = ()
    files: tuple[FileSource, ...] = ()
    languages: tuple[str, ...] = ()

"""Brings the packages of a recipe from public registries to a data root: wheels, npm packages, Debian packages.

What a package would run when it is installed is not run: a wheel and an npm package stay packed, Debian's are unpacked.
Debian's sources need dpkg-dev, and a line `deb-src` in the system's package sources. A team without internet copies the
folder.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from spencer_desktop.core.errors import EnvironmentFault, UserError
from spencer_models.data.sources import DEBIAN, DEBIAN_SOURCE, NPM, PYPI, DataConfig, TreeSource
from spencer_models.progress import Report

Runner = Callable[[Sequence[str], Path], None]
"""Runs a command in a folder. EnvironmentFault when it fails."""


def run_command(command: Sequence[str], folder: Path) -> None:
    """The `Runner` that runs it."""
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise EnvironmentFault(f"{command[0]} is not installed", hint="Install it, or copy the packages.") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise EnvironmentFault(f"`{' '.join(command)}` failed: {last}") from error


def fetch(config: DataConfig, root: Path, report: Report, run: Runner = run_command) -> None:
    """Brings to `root` what is not there yet of `config.trees` that have an origin.

    A package is there whole or not at all. UserError when no tree has an origin; EnvironmentFault, after all the others
    have been brought, that names those which cannot be had.
    """
    # One package may hold several trees.
    wanted = {source.package_place: source for source in config.trees if source.origin}
    if not wanted:
        raise UserError("The recipe has no tree with an origin", hint="Its packages are found by their paths.")
    # Commands run in a folder of their own.
    root = root.absolute()
    missing = []
    for number, (place, source) in enumerate(sorted(wanted.items()), 1):
        try:
            _bring(source, root / place, run)
            report(f"{number} of {len(wanted)}: {place}")
        except EnvironmentFault as error:
            missing.append(error)
            report(f"{number} of {len(wanted)}: {place} cannot be had: {error}")
    if missing:
        raise EnvironmentFault(
            f"{len(missing)} of {len(wanted)} packages cannot be had: " + "; ".join(map(str, missing)),
            hint="Registries drop versions: name those that they have now in a copy of the recipe.",
        )


def _bring(source: TreeSource, target: Path, run: Runner) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the last step is a rename.
    with TemporaryDirectory(dir=target.parent) as scratch:
        _FETCHERS[source.registry](source, Path(scratch), run).replace(target)


def _fetch_wheel(source: TreeSource, scratch: Path, run: Runner) -> Path:
    # Wheels alone: a source distribution runs its own code to be looked at.
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    run([*pip, f"{source.package}=={source.version}"], scratch)
    return _only(scratch.glob("*.whl"), "wheels")


def _fetch_npm(source: TreeSource, scratch: Path, run: Runner) -> Path:
    run(["npm", "pack", "--ignore-scripts", "--silent", f"{source.package}@{source.version}"], scratch)
    return _only(scratch.glob("*.tgz"), "packages")


def _fetch_debian(source: TreeSource, scratch: Path, run: Runner) -> Path:
    run(["apt-get", "download", f"{source.package}={source.version}"], scratch)
    unpacked = scratch / "unpacked"
    run(["dpkg-deb", "-x", str(_only(scratch.glob("*.deb"), "packages")), str(unpacked)], scratch)
    return unpacked


def _fetch_debian_source(source: TreeSource, scratch: Path, run: Runner) -> Path:
    # Unpacks and patches; what would build the package is not run.
    run(["apt-get", "source", "--only-source", f"{source.package}={source.version}"], scratch)
    return _only((path for path in scratch.iterdir() if path.is_dir()), "folders")


_FETCHERS: dict[str, Callable[[TreeSource, Path, Runner], Path]] = {
    PYPI: _fetch_wheel,
    NPM: _fetch_npm,
    DEBIAN: _fetch_debian,
    DEBIAN_SOURCE: _fetch_debian_source,
}


def _only(paths: Iterable[Path], what: str) -> Path:
    found = list(paths)
    if len(found) != 1:
        raise EnvironmentFault(f"The registry sent {len(found)} {what} where one was expected")
    return found[0]

"""TOML → frozen dataclasses, checked value by value: what is unknown, missing or of the wrong type is named."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.resources import resource_dir

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

EXTENDS = "extends"

RECIPES = resource_dir() / "recipes"
"""The folder of the shipped recipes."""


def read_toml(path: Path, shipped: Path = RECIPES) -> dict[str, Any]:
    """The tables of a TOML file, over those of the file that its `extends` names, which it overrides.

    That file stands beside it, or in the folder `shipped`. Tables are merged, everything else is replaced. UserError
    when a file cannot be read or extends itself.
    """
    chain: list[Path] = []
    tables: dict[str, Any] = {}
    following: Path | None = path
    while following:
        if following in chain:
            raise UserError(f"The recipe {path} extends itself")
        chain.append(following)
        own = _read(following)
        parent = own.pop(EXTENDS, None)
        if parent is not None and not isinstance(parent, str):
            raise UserError(f"{following}: {EXTENDS} must be the name of a file")
        tables = _merged(own, tables)
        beside = following.parent / parent if parent else None
        following = shipped / parent if parent and beside and not beside.is_file() else beside
    return tables


def _read(path: Path) -> dict[str, Any]:
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The recipe {path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"The recipe {path} is not TOML: {error}") from error
    return tables


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    out = {**base, **over}
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            out[key] = _merged(base[key], over[key])
    return out


def from_toml(kind: type[T], raw: Mapping[str, Any], where: str) -> T:
    """A `kind`, a dataclass, from a table. UserError that names the entry that is wrong, below `where`."""
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for key in raw:
        if key not in known:
            raise UserError(f"{where} has an unknown entry {key!r}", hint=f"Known are {', '.join(sorted(known))}.")
    missing = [
        name for name, f in known.items() if name not in raw and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        raise UserError(f"{where} lacks {', '.join(missing)}")
    return kind(**{key: _value(hints[key], value, f"{where}: {key}") for key, value in raw.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is UnionType or origin is typing.Union:
        return _value(next(a for a in arguments if a is not NoneType), value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], item, f"{where}[{number}]") for number, item in enumerate(value))
    if isinstance(value, dict) and is_dataclass(hint):
        return from_toml(typing.cast(type[Any], hint), value, where)
    if origin is not None and isinstance(value, dict) and issubclass(origin, Mapping):
        return {key: _value(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    name = hint.__name__ if isinstance(hint, type) else str(hint)
    raise UserError(f"{where} is {value!r}; it must be of type {name}")

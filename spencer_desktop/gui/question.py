"""Filters written into the question box: `lang:python path:src/ kind:method how are redirects followed`. No Qt.

A filter is a word `name:value` with a name from `FILTERS`; a value with spaces stands in double quotes. Whatever else
is in the box is the question, `std::vector` and `http://…` too; a backslash before a filter makes it part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from spencer_desktop.core.types import KINDS, Filters, Mode

FILTERS = {"lang": "languages", "path": "path_globs", "repo": "repositories", "kind": "kinds"}
"""Name of a filter → the field of `Filters` that it adds to; `mode` is written the same way."""

_NAMES = "|".join((*FILTERS, "mode"))
_FILTER = re.compile(rf'(?<!\S)(?P<name>{_NAMES}):(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]\S*))(?!\S)', re.I)
# Of a run of backslashes before what looks like a filter, the first is a mark; what looks like none needs no mark.
_MARKED = re.compile(rf"(?<!\S)\\(?=\\*(?:{_NAMES}):\S)", re.I)
_TO_MARK = re.compile(rf"(?<!\S)(?=\\*(?:{_NAMES}):\S)", re.I)
_BEGUN = re.compile(rf'(?<!\S)(?P<name>{_NAMES}):(?P<value>"[^"]*|[^\s"]*)$', re.I)
_NAME_BEGUN = re.compile(r"(?<!\S)\w*$")


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands in the box. `mode` is None where none is named."""

    text: str
    filters: Filters = field(default_factory=Filters)
    mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What may stand in place of the characters `start` to `end` of the box."""

    start: int
    end: int
    text: str


def read(box: str) -> Asked:
    """A mode that does not exist is part of the question; of several modes the last counts."""
    filters, mode = Filters(), None
    kept: list[str] = []
    at = 0
    for match in _FILTER.finditer(box):
        value = match["plain"] or match["quoted"] or ""
        name = match["name"].lower()
        if not value.strip() or (name == "mode" and value.lower() not in set(Mode)):
            continue
        if name == "mode":
            mode = Mode(value.lower())
        else:
            filters = with_filter(filters, name, value)
        kept.append(box[at : match.start()])
        at = match.end()
    kept.append(box[at:])
    text = " ".join(part.strip() for part in kept if part.strip())
    return Asked(_MARKED.sub("", text), filters, mode)


def write(asked: Asked) -> str:
    """A box that reads as `asked`: the question, then the filters, whose values must hold no double quote."""
    text = _TO_MARK.sub(lambda _: "\\", asked.text)
    parts = [text] if text else []
    parts += [f"{name}:{_value(value)}" for name, value in named(asked.filters)]
    if asked.mode:
        parts.append(f"mode:{asked.mode.value}")
    return " ".join(parts)


def named(filters: Filters) -> Iterator[tuple[str, str]]:
    """(name of the filter, value), in the order of `FILTERS`."""
    for name, place in FILTERS.items():
        yield from ((name, value) for value in getattr(filters, place))


def with_filter(filters: Filters, name: str, value: str) -> Filters:
    """The filters and one more; each value counts once."""
    place = FILTERS[name]
    return replace(filters, **{place: tuple(dict.fromkeys((*getattr(filters, place), value)))})


def without_filter(filters: Filters, name: str, value: str) -> Filters:
    place = FILTERS[name]
    return replace(filters, **{place: tuple(v for v in getattr(filters, place) if v != value)})


def completions(box: str, cursor: int, known: Mapping[str, Sequence[str]]) -> list[Completion]:
    """What the word before the cursor may become: a filter's name, or one of its `known` values (name → values)."""
    before = box[:cursor]
    if begun := _BEGUN.search(before):
        name, typed = begun["name"].lower(), begun["value"].lstrip('"').lower()
        values = {"kind": KINDS, "mode": tuple(m.value for m in Mode), **known}.get(name, ())
        found = [v for v in values if typed in v.lower()]
        found.sort(key=lambda v: not v.lower().startswith(typed))
        return [Completion(begun.start("value"), cursor, _value(v)) for v in found]
    begun = _NAME_BEGUN.search(before)
    if not begun or not begun[0]:
        return []
    names = [name for name in (*FILTERS, "mode") if name.startswith(begun[0].lower())]
    return [Completion(begun.start(), cursor, f"{name}:") for name in names]


def _value(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) or not value else value

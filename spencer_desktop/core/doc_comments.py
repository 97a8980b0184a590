"""Documentation without its marks: what a person wrote, in plain words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

_OPEN = re.compile(r"^[ \t]*(?:/\*+!?|\{-[ \t]*\|?|--\[=*\[|//[/!]*|#+!?|--+(?:[ \t]?[|^])?)<?")
_STAR = re.compile(r"^[ \t]*\*+(?!/)")
_CLOSE = re.compile(r"[ \t]*(?:\*+/|-\}|\]=*\])[ \t\r]*$")
_STRING = re.compile(r"(?:@\w+\s+)?~?[a-zA-Z]{0,2}(\"\"\"|'''|\"|')(.*?)(?:\1\w*)?\Z", re.DOTALL)
_XML_REFERENCE = re.compile(r"<(?:see|seealso|paramref|typeparamref)\s+\w+=\"([^\"]*)\"\s*/>")
_XML_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_LETTER = re.compile(r"[^\W_]")


def clean_comment(comments: Iterable[str], *, xml: bool = False) -> str:
    """The words of comments that stand below each other; rulers are dropped. `xml` also drops C#'s XML tags."""
    lines: list[str] = []
    for comment in comments:
        for line in comment.split("\n"):
            text, opened = _OPEN.subn("", line)
            text = text if opened else _STAR.sub("", line)
            text = _CLOSE.sub("", text)
            if xml:
                text = _XML_TAG.sub("", _XML_REFERENCE.sub(r"\1", text))
            lines.append(text.rstrip() if _LETTER.search(text) else "")
    return inspect.cleandoc("\n".join(lines).strip("\n"))


def clean_docstring(literal: str) -> str:
    """The text of a string literal that documents; prefix, quotes, common indent and an Elixir `@doc` are taken off."""
    match = _STRING.match(literal)
    return inspect.cleandoc(match[2] if match else literal).strip()

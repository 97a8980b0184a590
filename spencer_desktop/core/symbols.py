"""Names as a person would ask for them: `std::vector<T>::push_back` → `std.vector.push_back`."""

from __future__ import annotations

import re

# What is read of a declaration to find its name; the patterns below must stay cheap on hostile source.
_MAX_DECLARATION_CHARS = 600

_SPACE = re.compile(r"\s+")
_TYPE_ARGUMENTS = re.compile(r"(?<=\w)\s?<[^<>]*>")
_SEPARATOR = re.compile(r"\s*(?:::|:|\\|->|\.)\s*")
_WRAPPER = re.compile(r"^(?:module\.exports|exports|this|self)\.(?=.)")
_DECLARATOR = re.compile(
    r"((?:~?\w+ ?(?:<[^()]*>)? ?:: ?)*(?:\boperator ?(?:\( ?\)|[^(]+)|~?\b\w+))(?: ?<[^()]*>)? ?\("
)
_NAMING_MACRO = re.compile(r"[A-Z][A-Z0-9_]* ?\( ?(\w+)(?: ?, ?(\w+))? ?\)")


def collapse(text: str) -> str:
    """`text` on one line, single spaces."""
    return _SPACE.sub(" ", text).strip()


def plain_name(written: str) -> str:
    """A name as it stands in the source → qualified with ".", without type arguments, quotes or `exports.`."""
    name = collapse(written[:_MAX_DECLARATION_CHARS])
    if len(name) > 2 and name[0] == name[-1] and name[0] in "\"'`":
        return name[1:-1]
    name = name.strip("[]()$\"'") or name
    if not name or not (name[0].isalpha() or name[0] in "_~"):
        return name
    if "operator" not in name:
        while (shorter := _TYPE_ARGUMENTS.sub("", name)) != name:
            name = shorter
    name = _SEPARATOR.sub(".", name)
    return _WRAPPER.sub("", name.replace(".prototype.", "."))


def declared_name(declaration: str, declarator_at: int, typed: bool) -> str:
    """The name that a C or C++ function definition declares.

    `declaration` is the text up to the body, `declarator_at` where the declarator begins in it, `typed` whether a
    return type stands before. A macro that makes a function is named by its arguments: `TEST(Stack, Pops)` →
    `Stack.Pops`.
    """
    declaration = declaration[: declarator_at + _MAX_DECLARATION_CHARS]
    text = collapse(declaration[declarator_at:])
    match = _DECLARATOR.search(text)
    if match is None:
        text, typed = collapse(declaration[-_MAX_DECLARATION_CHARS:]), False
        match = _DECLARATOR.search(text)
    if match is None:
        return plain_name(text)
    macro = _NAMING_MACRO.match(text, match.start(1))
    if macro and (not typed or text[macro.end() :].lstrip().startswith("(")):
        return ".".join(argument for argument in macro.groups() if argument)
    return plain_name(match[1])

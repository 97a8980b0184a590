"""Names as a person would ask for them: `std::vector<T>::push_back` → `std.vector.push_back`."""

from __future__ import annotations

import re

# What is read of a declaration to find its name; the patterns below must stay cheap on hostile source.
_MAX_DECLARATION_CHARS = 600

_SPACE = re.compile(r"\s+")
_TYPE_ARGUMENTS = re.compile(r"(?<=\w)\s?<[^<>]*>")
_SEPARATOR = re.compile(r"\s*(?:::|:|\\|->|\.)\s*")
_REFERENCE = re.compile(r"^(?:&\s*|\*\s*(?:const|mut)\s+|'\w+\s+|mut\s+|dyn\s+)+")
_KEY = re.compile(r"\[\s*[\"'](\w+)[\"']\s*\]")
_WRAPPER = re.compile(r"^(?:module\.exports|exports|this|self)\.(?=.)")
_DECLARATOR = re.compile(
    r"((?:~?\w+ ?(?:<[^()]*>)? ?:: ?)*(?:\boperator ?(?:\( ?\)|[^(]+)|~?\b\w+))(?: ?<[^()]*>)? ?\("
)
_METHOD_MARKS = {"cpp": "::", "cuda": "::", "lua": ":", "javascript": ".prototype.", "typescript": ".prototype."}
_NAMING_MACRO = re.compile(r"[A-Z][A-Z0-9_]* ?\( ?(\w+)(?: ?, ?(\w+))? ?\)")


def collapse(text: str) -> str:
    """`text` on one line, single spaces."""
    return _SPACE.sub(" ", text).strip()


def plain_name(written: str) -> str:
    """A name as it stands in the source → qualified with ".", without type arguments, quotes or `exports.`."""
    name = _REFERENCE.sub("", collapse(written[:_MAX_DECLARATION_CHARS]))
    if len(name) > 2 and name[0] == name[-1] and name[0] in "\"'`":
        return name[1:-1]
    if len(name) > 2 and name[0] + name[-1] in {"()", "[]"}:
        name = name[1:-1]
    name = name.lstrip("$")
    if not name or not (name[0].isalpha() or name[0] in "_~") or "(" in name:
        return name
    name = _KEY.sub(r".\1", name)
    if "operator" not in name:
        while (shorter := _TYPE_ARGUMENTS.sub("", name)) != name:
            name = shorter
    name = name.partition("[")[0]
    name = _SEPARATOR.sub(".", name)
    return _WRAPPER.sub("", name.replace(".prototype.", "."))


def declared_name(before: str, declarator: str, typed: bool) -> str:
    """The name that a C or C++ function definition declares, "" when it declares no function.

    `declarator` is its text up to the body, `before` what stands before it, `typed` whether that is a return type. A
    macro that makes a function is named by its arguments: `TEST(Stack, Pops)` → `Stack.Pops`.
    """
    text = collapse(declarator[:_MAX_DECLARATION_CHARS])
    match = _DECLARATOR.search(text)
    if match is None:
        # `DEFINE(name)` is read as the type DEFINE and a declarator in parentheses.
        text, typed = collapse(before[-_MAX_DECLARATION_CHARS:]) + text, False
        match = _DECLARATOR.search(text)
    if match is None:
        return ""
    macro = _NAMING_MACRO.match(text, match.start(1))
    if macro and (not typed or text[macro.end() :].lstrip().startswith("(")):
        return ".".join(argument for argument in macro.groups() if argument)
    return plain_name(match[1])


def is_method_name(language: str, written: str) -> bool:
    """Whether a function's name says that it belongs to a class: `A::b` in C++, `A:b` in Lua, `A.prototype.b`."""
    mark = _METHOD_MARKS.get(language)
    return mark is not None and mark in written.partition("(")[0]

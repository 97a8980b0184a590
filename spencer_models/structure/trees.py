"""A function as a syntax tree: parsing a piece of source that stands alone, and walking it without recursion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from tree_sitter import Node, Parser, Tree

from spencer_desktop.core.grammars import load_grammar

_BARE = ("", "")
_IN_CLASS = ("class C {", "}")

# What is put around a function whose grammar expects a whole file, in the order of trial.
_SURROUNDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "csharp": (_BARE, _IN_CLASS),
    "java": (_BARE, _IN_CLASS),
    "javascript": (_BARE, _IN_CLASS),
    "php": (("<?php class C {", "}"), ("<?php ", ""), _BARE),
    "tsx": (_BARE, _IN_CLASS),
    "typescript": (_BARE, _IN_CLASS),
}


def source_bytes(code: str) -> bytes:
    """`code` in UTF-8, as the offsets of its tree count it; what is no text becomes "?", a byte for a character."""
    return code.encode("utf-8", "replace")


def parse(code: str, language: str) -> Tree:
    """The syntax tree of a function, or of any source, in a language for which `has_grammar` holds.

    Where the source alone has syntax errors it is also tried as the member of a class. Offsets and points are those of
    `source_bytes(code)` in any case; tokens that were put around it have no width and stand at the start or the end.
    `Node.text` is not to be relied on. Time and depth are not bounded: cut the source first.
    """
    source = source_bytes(code)
    first: Tree | None = None
    for before, after in _SURROUNDINGS.get(language, (_BARE,)):
        tree = _parser(language).parse(before.encode() + source + after.encode())
        _forget(tree, len(before), source, len(after))
        if not tree.root_node.has_error:
            return tree
        first = first or tree
    assert first is not None
    return first


def preorder(root: Node, enter: Callable[[Node], object]) -> Iterator[Node]:
    """`root` and the nodes below it in source order, parents first; children only of those for which `enter` is true.

    Trees of any depth.
    """
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if enter(node):
            stack.extend(reversed(node.children))


@cache
def _parser(language: str) -> Parser:
    return Parser(load_grammar(language).language)


def _forget(tree: Tree, before: int, source: bytes, after: int) -> None:
    """Takes bytes at both ends, which hold no line break, out of the tree's offsets."""
    rows, column = source.count(b"\n"), len(source) - source.rfind(b"\n") - 1
    shifted = column + (before if rows == 0 else 0)
    end = before + len(source)
    tree.edit(end, end + after, end, (rows, shifted), (rows, shifted + after), (rows, shifted))
    tree.edit(0, before, 0, (0, 0), (0, before), (0, 0))

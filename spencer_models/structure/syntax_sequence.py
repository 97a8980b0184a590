"""A function as SPT-Code reads it: its tokens, its linearised syntax tree and the names it calls.

Niu et al., ICSE 2022, arXiv 2201.01549; where paper and published program differ, as the program has it, because the
public vocabularies were made by it.
"""

from __future__ import annotations

from tree_sitter import Node

from spencer_models.structure.source import Source
from spencer_models.structure.trees import preorder

LITERAL = "___STR"
"""What stands for each string and character literal."""

# A node is a statement, in the wide sense of the method, when the last word of its type is one of these.
_STATEMENTS = {
    "java": frozenset({"statement", "expression", "declaration"}),
    "python": frozenset({"statement", "assignment"}),
}
_LITERALS = frozenset({"string", "string_literal", "character_literal"})
_METHODS = frozenset({"method_declaration", "constructor_declaration", "compact_constructor_declaration"})


def code_words(source: Source) -> list[str]:
    """The tokens as written, without comments and with `LITERAL` for each string and character."""
    words: list[str] = []
    for node in preorder(source.root, _inside):
        if node.type in _LITERALS and node.is_named:
            words.append(LITERAL)
        elif node.child_count == 0 and not node.type.endswith("comment"):
            words.append(source.text(node))
    return [word for word in words if word]


def syntax_words(source: Source, limit: int) -> list[str]:
    """X-SBT: the tree, statements and expressions alone, as opening and closing tags; the first `limit`.

    `if_statement__` opens what `__if_statement` closes; `return_statement` alone has no other inside. Of Java the body
    of the first method is read, of Python everything.
    """
    kinds = _STATEMENTS[source.language]
    words: list[str] = []
    stack: list[tuple[Node, int | None]] = [(_start(source), None)]
    # One word more than asked for: only then is it certain whether the last one has others inside.
    while stack and len(words) <= limit:
        node, opened = stack.pop()
        if opened is None:
            if node.type.rpartition("_")[2] in kinds:
                stack.append((node, len(words)))
                words.append(f"{node.type}__")
            stack.extend((child, None) for child in reversed(node.children))
        elif opened == len(words) - 1:
            words[opened] = node.type
        else:
            words.append(f"__{node.type}")
    return words[:limit]


def called_names(source: Source) -> list[str]:
    """The bare names of the functions and methods that are called, in the order of their places; no constructors."""
    names = [name for node in preorder(source.root, _anywhere) if (name := _called(node)) is not None]
    return [source.text(name) for name in sorted(names, key=lambda name: name.start_byte)]


def _called(node: Node) -> Node | None:
    if node.type == "method_invocation":
        return node.child_by_field_name("name")
    called = node.child_by_field_name("function") if node.type == "call" else None
    if called is not None and called.type == "attribute":
        called = called.child_by_field_name("attribute")
    return called if called is not None and called.type == "identifier" else None


def _start(source: Source) -> Node:
    bodies = (n.child_by_field_name("body") for n in preorder(source.root, _anywhere) if n.type in _METHODS)
    return next((body for body in bodies if body is not None), source.root)


def _anywhere(node: Node) -> bool:
    return True


def _inside(node: Node) -> bool:
    return node.type not in _LITERALS and not node.type.endswith("comment")

"""A function beside its tree: what the text of a node is, what the function is called, and its words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tree_sitter import Node

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.text import MAX_CODE_CHARS, split_identifier
from spencer_models.structure.trees import parse, preorder, source_bytes

LANGUAGES = ("java", "python")

_FUNCTIONS = frozenset({"method_declaration", "constructor_declaration", "compact_constructor_declaration"})
_STOP_WORDS = frozenset(
    "a an and are as at be by cls for from in is it its of on or self that the this to was with".split()
)


@dataclass(frozen=True, slots=True)
class Source:
    """A piece of code as bytes of UTF-8, and its tree, whose offsets count them."""

    content: bytes
    root: Node
    language: str

    def text(self, node: Node) -> str:
        """What stands at `node`; "" where the parser only supposed it."""
        return self.between(node.start_byte, node.end_byte)

    def between(self, start: int, end: int) -> str:
        """The text between two offsets."""
        return self.content[start:end].decode("utf-8", "replace")


def read_source(code: str, language: str) -> Source:
    """The code, cut to what a model can read, with its tree. UserError for a language other than those in LANGUAGES."""
    if language not in LANGUAGES:
        raise UserError(
            f"This family of models reads Python and Java only, not {language}",
            hint="Train it on one of them, or choose another family as backbone.family in the recipe.",
        )
    code = code[:MAX_CODE_CHARS]
    return Source(source_bytes(code), parse(code, language).root_node, language)


def function_name(source: Source) -> str:
    """The name of the first function, method or constructor; "" where there is none."""
    for node in preorder(source.root, _children):
        if source.language == "java":
            name = node.child_by_field_name("name") if node.type in _FUNCTIONS else None
        else:
            # By the keyword and not by the definition: a function on one line is none to the parser.
            name = node.next_sibling if node.type == "def" else None
        if name is not None and name.end_byte > name.start_byte:
            return source.text(name)
    return ""


def _children(node: Node) -> list[Node]:
    return node.children


def identifier_words(source: Source, nodes: Iterable[Node]) -> list[str]:
    """The words of the identifiers at and below `nodes`, in order, each once; neither stop words nor keywords."""
    words: dict[str, None] = {}
    for node in nodes:
        for leaf in preorder(node, _children):
            if leaf.child_count == 0 and leaf.type.endswith("identifier"):
                words.update(dict.fromkeys(split_identifier(source.text(leaf))))
    return [word for word in words if word not in _STOP_WORDS]

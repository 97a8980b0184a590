"""The data flow of a function: where the value of each variable comes from (GraphCodeBERT, arXiv 2009.08366).

A node is an occurrence of a name or a literal, an edge leads from it to the occurrences that its value comes from: a
use to what may have defined the name before, a target of an assignment to everything on the other side. The rules are
those of the parser that was published with the model, their short cuts included, because the checkpoint learned from
such graphs: `a += b` comes from b alone, both sides of an assignment with as many parts each are matched part by part,
a first occurrence defines its name, an `else` does not see what the condition defined, a Java `if` may always leave
what was there before, and a Java `for` is read a second time only from behind its declaration.

Different from that parser: an occurrence is one node however many sources it has (there, in Java, one node for each
source); parameters with a type and a default are read like those with a default; the body of a Python `for` with an
`else` is read; a variable may be called "identifier"; strings over several lines keep their line breaks. Comments and
strings that stand as a statement (docstrings) are left out on the tree, not by rewriting the source, and so are the
tokens of syntax errors from the graph.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, TypeAlias

from tree_sitter import Node

from spencer_models.structure.trees import parse, preorder, source_bytes

# Loops in loops are read twice each, so that work can double with every level.
MAX_STEPS = 50_000
MAX_DEPTH = 150


@dataclass(frozen=True, slots=True)
class DataFlow:
    """The tokens of a function and the graph over them.

    `tokens`: half-open spans of characters in the source, in order. `nodes`: the tokens that have an edge, by their
    place in `tokens`, in order. `edges`: of each node that has any, its sources, in order.
    """

    tokens: tuple[tuple[int, int], ...]
    nodes: tuple[int, ...] = ()
    edges: tuple[tuple[int, tuple[int, ...]], ...] = ()


def dataflow(code: str, language: str) -> DataFlow:
    """The data flow of a function in Python or Java; of another language, all of `code` as one token without a graph.

    The graph is empty where the tree is deeper than MAX_DEPTH, or where reading it takes more than MAX_STEPS.
    """
    if language not in _READERS:
        return DataFlow(((0, len(code)),) if code else ())
    reader = _READERS[language](parse(code, language).root_node, source_bytes(code))
    spans = _in_characters(reader.spans, code)
    try:
        sources = reader.read()
    except _TooMuchError:
        return DataFlow(spans)
    edges = tuple((target, tuple(sorted(sources[target]))) for target in sorted(sources))
    nodes = {token for target, found in edges for token in (target, *found)}
    return DataFlow(spans, tuple(sorted(nodes)), edges)


def _in_characters(spans: Iterable[tuple[int, int]], code: str) -> tuple[tuple[int, int], ...]:
    if code.isascii():
        return tuple(spans)
    widths = (len(source_bytes(character)) for character in code)
    place = {offset: index for index, offset in enumerate(accumulate(widths, initial=0))}
    return tuple((place[start], place[end]) for start, end in spans)


Names: TypeAlias = dict[str, frozenset[int]]
"""The tokens that may have given each name the value it has at some point of the function."""


class _TooMuchError(Exception):
    """The graph of this function costs more than it is worth."""


class _Reader(ABC):
    """Goes through a tree in the order in which it would run, with the names known so far, and collects edges.

    A language has its kinds of strings, its comments, and a rule for each kind of node that does more than read its
    children in turn; `first` are the children that run before the others.
    """

    strings: ClassVar[frozenset[str]]
    ignored: ClassVar[frozenset[str]]
    first: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, root: Node, source: bytes) -> None:
        self.spans: list[tuple[int, int]] = []
        self._root = root
        self._rules = self.rules()
        self._children: dict[int, list[Node]] = {}
        self._steps = 0
        self._depth = 0
        self._sources: defaultdict[int, set[int]] = defaultdict(set)
        # The values: occurrences of names and literals, by their place among the tokens and their first byte.
        self._values: list[int] = []
        self._starts: list[int] = []
        self._texts: dict[int, str] = {}
        for node in preorder(root, self.children):
            is_token = node.end_byte > node.start_byte and not self.children(node) and not self.is_ignored(node)
            if is_token:
                self._add_token(node, source[node.start_byte : node.end_byte].decode())

    @abstractmethod
    def rules(self) -> dict[str, Callable[[Node, Names], None]]:
        """By kind of node, what is done with it."""

    def is_ignored(self, node: Node) -> bool:
        return node.type in self.ignored

    def read(self) -> dict[int, set[int]]:
        """Token → the tokens that its value comes from, where there are any."""
        self.visit(self._root, {})
        return {token: found for token, found in self._sources.items() if found}

    def children(self, node: Node) -> list[Node]:
        """Without comments; a string has none, being one token."""
        found = self._children.get(node.id)
        if found is None:
            is_leaf = node.type in self.strings or self.is_ignored(node)
            found = [] if is_leaf else [child for child in node.children if not self.is_ignored(child)]
            self._children[node.id] = found
        return found

    def _add_token(self, node: Node, text: str) -> None:
        # Keywords and punctuation are anonymous, or named by what they say, like Java's `this`.
        if node.is_named and not node.is_error and (node.type != text or text == "identifier"):
            self._texts[len(self.spans)] = text
            self._values.append(len(self.spans))
            self._starts.append(node.start_byte)
        self.spans.append((node.start_byte, node.end_byte))

    def visit(self, node: Node | None, names: Names) -> None:
        """Reads one node, if it is there; `names` is what is known before, and afterwards what is known then."""
        if node is None:
            return
        self._steps += 1
        if self._steps > MAX_STEPS or self._depth > MAX_DEPTH:
            raise _TooMuchError
        self._depth += 1
        children = self.children(node)
        if not children:
            self._use(node, names)
        elif rule := self._rules.get(node.type):
            rule(node, names)
        else:
            self.visit_all([c for c in children if c.type in self.first], names)
            self.visit_all([c for c in children if c.type not in self.first], names)
        self._depth -= 1

    def visit_all(self, nodes: Iterable[Node], names: Names) -> None:
        for node in nodes:
            self.visit(node, names)

    def _use(self, node: Node, names: Names) -> None:
        for token in self.values(node):
            text = self._texts[token]
            if text in names:
                self._sources[token] |= names[text]
            elif node.type == "identifier":
                names[text] = frozenset({token})

    def values(self, node: Node | None) -> list[int]:
        """The occurrences of names and literals anywhere in a node."""
        if node is None:
            return []
        return self._values[bisect_left(self._starts, node.start_byte) : bisect_left(self._starts, node.end_byte)]

    def define(self, target: Node | None, source: Node | None, names: Names) -> None:
        """Every name in `target` gets its value from everything in `source`."""
        found = self.values(source)
        for token in self.values(target):
            self._sources[token].update(found)
            names[self._texts[token]] = frozenset({token})

    def declaration(self, node: Node, names: Names) -> None:
        value = node.child_by_field_name("value")
        self.visit(value, names)
        self.define(node.child_by_field_name("name"), value, names)

    def twice(self, node: Node, names: Names) -> None:
        """A loop: what its end defines reaches its start."""
        for _ in range(2):
            self.visit_all(self.children(node), names)

    def branch(self, straight: list[Node], others: list[Node], exhaustive: bool, names: Names) -> None:
        """One of several ways is taken, and unless they are `exhaustive` perhaps none; all leave what they defined."""
        ways = [dict(names) for _ in others]
        if not exhaustive:
            ways.append(dict(names))
        self.visit_all(straight, names)
        for other, way in zip(others, ways, strict=False):
            self.visit(other, way)
        ways.append(dict(names))
        names.clear()
        for way in ways:
            for name, tokens in way.items():
                names[name] = names.get(name, frozenset()) | tokens


class _PythonReader(_Reader):
    strings = frozenset({"string"})
    ignored = frozenset({"comment", "line_continuation"})
    first = frozenset({"for_in_clause"})

    def rules(self) -> dict[str, Callable[[Node, Names], None]]:
        return {
            "default_parameter": self.declaration,
            "typed_default_parameter": self.declaration,
            "assignment": self._assignment,
            "augmented_assignment": self._assignment,
            "for_in_clause": self._comprehension,
            "if_statement": self._if,
            "for_statement": self._for,
            "while_statement": self.twice,
        }

    def is_ignored(self, node: Node) -> bool:
        if node.type != "expression_statement":
            return super().is_ignored(node)
        return all(child.type in ("string", "concatenated_string", "comment") for child in node.children)

    def _assignment(self, node: Node, names: Names) -> None:
        if node.child_by_field_name("right") is not None:
            self._assign_parts(node, names)

    def _assign_parts(self, node: Node, names: Names) -> None:
        pairs = list(self._parts(node))
        self.visit_all([source for _, source in pairs], names)
        for target, source in pairs:
            self.define(target, source, names)

    def _parts(self, node: Node) -> Iterator[tuple[Node, Node]]:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        assert left is not None
        assert right is not None
        targets = [child for child in self.children(left) if child.type != ","]
        sources = [child for child in self.children(right) if child.type != ","]
        if not targets or len(targets) != len(sources):
            return iter([(left, right)])
        return zip(targets, sources, strict=True)

    def _comprehension(self, node: Node, names: Names) -> None:
        source = self.children(node)[-1]
        self.visit(source, names)
        self.define(node.child_by_field_name("left"), source, names)

    def _if(self, node: Node, names: Names) -> None:
        children = self.children(node)
        others = [child for child in children if child.type in ("elif_clause", "else_clause")]
        straight = [child for child in children if child not in others]
        self.branch(straight, others, any(child.type == "else_clause" for child in others), names)

    def _for(self, node: Node, names: Names) -> None:
        for _ in range(2):
            self._assign_parts(node, names)
            self.visit_all(node.children_by_field_name("body"), names)
        self.visit_all(node.children_by_field_name("alternative"), names)


class _JavaReader(_Reader):
    strings = frozenset({"string_literal"})
    ignored = frozenset({"line_comment", "block_comment"})

    def rules(self) -> dict[str, Callable[[Node, Names], None]]:
        return {
            "variable_declarator": self.declaration,
            "assignment_expression": self._assignment,
            "update_expression": lambda node, names: self.define(node, node, names),
            "if_statement": self._if,
            "for_statement": self._for,
            "enhanced_for_statement": self._for_each,
            "while_statement": self.twice,
        }

    def _assignment(self, node: Node, names: Names) -> None:
        right = node.child_by_field_name("right")
        self.visit(right, names)
        self.define(node.child_by_field_name("left"), right, names)

    def _if(self, node: Node, names: Names) -> None:
        others = node.children_by_field_name("alternative")
        straight = [child for child in self.children(node) if child not in others]
        self.branch(straight, others, False, names)

    def _for(self, node: Node, names: Names) -> None:
        children = self.children(node)
        self.visit_all(children, names)
        kinds = [child.type for child in children]
        if "local_variable_declaration" in kinds:
            self.visit_all(children[kinds.index("local_variable_declaration") + 1 :], names)

    def _for_each(self, node: Node, names: Names) -> None:
        value = node.child_by_field_name("value")
        for _ in range(2):
            self.visit(value, names)
            self.define(node.child_by_field_name("name"), value, names)
            self.visit_all(node.children_by_field_name("body"), names)


_READERS: dict[str, type[_Reader]] = {"python": _PythonReader, "java": _JavaReader}

"""The statements of a function in Python or Java, and how each depends on others (program dependence graph).

A simple statement is one, and so is the head of a compound one: `if (x > 0)`, `for x in xs`, `case 1`, `except E`,
a signature. `else`, `try`, `finally` and `do` evaluate nothing and are none; documentation is none.

Control: a statement depends on the head that decides whether it runs: of a branch, a loop, a case or a handler. What
stands under `else` depends on the last condition that failed.

Data: a statement depends on those above it that may have given a variable which it reads the value it reads. Where
branches merge, all of these count: a value from a branch, a loop, a case, a `try` or a handler may have been given or
not, so that the value from before counts as well, even where every branch gives one. Jumps are not followed: a value
from a branch that returns counts for what follows it. Values that a loop carries into its next round are left out, so
that a statement depends on earlier ones only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

import numpy as np
from tree_sitter import Node

from spencer_desktop.core.types import Ids
from spencer_models.structure.bindings import bindings
from spencer_models.structure.source import Source, identifier_words


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement: its head on one line, its words, and the numbers of the statements it depends on.

    `words` are those of its identifiers or, where it has none, its first word or sign as it stands: never empty.
    """

    text: str
    words: tuple[str, ...]
    control: int | None
    data: frozenset[int]


class _Kind(Enum):
    """What is known about a part of a compound statement."""

    PLAIN = auto()  # runs whenever the whole does
    MAYBE = auto()  # runs or not
    CHOICE = auto()  # like MAYBE, and never together with its siblings
    FUNCTION = auto()  # gives no variable a value outside


class _Form(NamedTuple):
    """A compound statement: the kind of its body, and whether its head decides if the body runs.

    `own`: what the head gives values to has them as far as the body runs (a loop's variable, parameters). `whole`: this
    is one of the parts of its parent (a case, a handler).
    """

    kind: _Kind
    decides: bool = True
    own: bool = False
    whole: bool = False


_BRANCH = _Form(_Kind.CHOICE)
_CASE = _Form(_Kind.CHOICE, own=True, whole=True)
_LOOP = _Form(_Kind.MAYBE)
_OVER = _Form(_Kind.MAYBE, own=True)
_TRY = _Form(_Kind.MAYBE, decides=False)
_FUNCTION = _Form(_Kind.FUNCTION, decides=False, own=True)
_SWITCH = _Form(_Kind.PLAIN)
_AROUND = _Form(_Kind.PLAIN, decides=False)

_FORMS: dict[str, dict[str, _Form]] = {
    "python": {
        "if_statement": _BRANCH,
        "elif_clause": _BRANCH,
        "for_statement": _OVER,
        "while_statement": _LOOP,
        "match_statement": _SWITCH,
        "case_clause": _CASE,
        "try_statement": _TRY,
        "except_clause": _CASE,
        "with_statement": _AROUND,
        "class_definition": _AROUND,
        "function_definition": _FUNCTION,
    },
    "java": {
        "if_statement": _BRANCH,
        "for_statement": _LOOP,
        "enhanced_for_statement": _OVER,
        "while_statement": _LOOP,
        "switch_expression": _SWITCH,
        "switch_rule": _CASE,
        # Falls through into the next one.
        "switch_block_statement_group": _Form(_Kind.MAYBE, own=True, whole=True),
        "try_statement": _TRY,
        "try_with_resources_statement": _TRY,
        "catch_clause": _CASE,
        "synchronized_statement": _AROUND,
        "method_declaration": _FUNCTION,
        "constructor_declaration": _FUNCTION,
        "compact_constructor_declaration": _FUNCTION,
        **{f"{kind}_declaration": _AROUND for kind in ("class", "interface", "enum", "record")},
    },
}
_CONTAINERS = frozenset(
    "module program block class_body constructor_body interface_body enum_body enum_body_declarations switch_block"
    " else_clause finally_clause do_statement labeled_statement static_initializer decorated_definition".split()
)
_BODIES = frozenset({"body", "consequence"})
_HANDLERS = frozenset({"except_clause", "catch_clause", "finally_clause"})
# Not part of the text of a statement.
_SILENT = frozenset({":", "{", "}", "->", ";", "else", "try", "modifiers"})


class _Arm(NamedTuple):
    """One part of a compound statement, by the ids of their nodes."""

    whole: int
    part: int
    kind: _Kind


class _Place(NamedTuple):
    """Where a statement stands: the parts around it, outermost first, and the head that decides whether it runs."""

    arms: tuple[_Arm, ...]
    control: int | None

    def inside(self, arm: _Arm) -> _Place:
        return self if arm.kind is _Kind.PLAIN else _Place((*self.arms, arm), self.control)


class _Value(NamedTuple):
    """A statement that gave a variable a value, and the parts of compound statements around it."""

    statement: int
    arms: tuple[_Arm, ...]


def read_statements(source: Source, limit: int) -> list[Statement]:
    """The first `limit` statements in source order. Any depth of nesting; work grows with the square of `limit`."""
    reader = _Reader(source)
    todo = [(source.root, _Place((), None))]
    while todo and len(reader.statements) < limit:
        todo += reversed(reader.read(*todo.pop()))
    return reader.statements


def dependency_rows(statements: Sequence[Statement], size: int) -> Ids:
    """int64 [statements, size]: 1 where the row's statement depends on the column's, by control or data; cut to `size`.

    The program dependency matrix of CRaDLe.
    """
    rows = np.zeros((len(statements), size), np.int64)
    for number, statement in enumerate(statements):
        sources = statement.data if statement.control is None else statement.data | {statement.control}
        rows[number, [source for source in sources if source < size]] = 1
    return rows


class _Reader:
    """Goes through the statements in source order, with the values that each variable was given so far."""

    def __init__(self, source: Source) -> None:
        self.statements: list[Statement] = []
        self._source = source
        self._forms = _FORMS[source.language]
        self._values: dict[str, list[_Value]] = {}

    def read(self, node: Node, place: _Place) -> list[tuple[Node, _Place]]:
        """Adds the statement that begins with `node`, if one does; returns what is in it, in source order."""
        form = self._forms.get(node.type)
        if form is not None:
            return self._compound(node, form, place)
        if node.type in _CONTAINERS or (node.is_error and any(map(self._is_statement, node.named_children))):
            label = 1 if node.type == "labeled_statement" else 0
            return [(child, place) for child in node.named_children[label:]]
        if _says(node) and not _is_documentation(node):
            self._add(node, (), place, place.arms)
        return []

    def _is_statement(self, node: Node) -> bool:
        return (
            node.type in self._forms or node.type in _CONTAINERS or node.type.endswith(("_statement", "_declaration"))
        )

    def _compound(self, node: Node, form: _Form, place: _Place) -> list[tuple[Node, _Place]]:
        bodies, clauses = _parts(node)
        left_out = {part.id for part in (*bodies, *clauses)}
        whole = node.parent if form.whole and node.parent is not None else node
        inside = place.inside(_Arm(whole.id, node.id, form.kind))
        number = self._add(node, left_out, place, inside.arms if form.own else place.arms)
        control = number if form.decides else place.control
        body_place = _Place(inside.arms, control)
        rest = [(body, body_place) for body in bodies]
        # Of several branches each reads the next.
        for clause in clauses[:1] if node.type == "if_statement" else clauses:
            if clause.type in _HANDLERS:
                rest.append((clause, place))
            elif node.type == "try_statement":
                rest.append((clause, body_place))
            else:
                other = place.inside(_Arm(whole.id, clause.id, form.kind))
                rest.append((clause, _Place(other.arms, control)))
        return rest

    def _add(self, node: Node, left_out: Collection[int], place: _Place, arms: tuple[_Arm, ...]) -> int | None:
        """The number of the statement that `node` is without some of its children; None where it says nothing.

        `arms` are those that its values are given in.
        """
        said = [child for child in node.children if child.id not in left_out and _says(child)]
        head = said or ([] if left_out else [node])
        text = self._source.between(head[0].start_byte, head[-1].end_byte).split() if head else []
        if not text:
            return None
        number = len(self.statements)
        found = bindings(self._source, node, left_out)
        sources = {v for name in found.reads for v in _reaching(self._values.get(name, []), place.arms)}
        words = identifier_words(self._source, head) or text[:1]
        self.statements.append(Statement(" ".join(text), tuple(words), place.control, frozenset(sources)))
        for name in found.names:
            self._values.setdefault(name, []).append(_Value(number, place.arms))
        for name in found.writes:
            self._values.setdefault(name, []).append(_Value(number, arms))
        return number


def _parts(node: Node) -> tuple[list[Node], list[Node]]:
    """The bodies of a compound statement, and the clauses that follow them."""
    bodies: list[Node] = []
    clauses: list[Node] = []
    is_case = node.type in ("switch_rule", "switch_block_statement_group")
    for place, child in enumerate(node.children):
        field = node.field_name_for_child(place)
        if field == "alternative" or child.type in _HANDLERS or child.type == "else_clause":
            clauses.append(child)
        elif child.is_named and child.type != "switch_label" if is_case else field in _BODIES or child.type == "block":
            bodies.append(child)
    if node.type == "elif_clause":
        clauses += _next_branch(node)
    return bodies, clauses


def _next_branch(node: Node) -> list[Node]:
    following = node.next_named_sibling
    while following is not None and following.is_extra:
        following = following.next_named_sibling
    return [following] if following is not None else []


def _says(node: Node) -> bool:
    return node.type not in _SILENT and (node.is_error or not node.is_extra)


def _is_documentation(node: Node) -> bool:
    only = node.named_children[0] if node.named_child_count == 1 else None
    return node.type == "expression_statement" and only is not None and only.type.endswith("string")


def _reaching(values: Sequence[_Value], arms: tuple[_Arm, ...]) -> list[int]:
    """The statements whose values a statement inside `arms` may read; the latest is the last of `values`."""
    found: list[_Value] = []
    for value in reversed(values):
        # A later value that was surely given whenever this one was has taken its place.
        if _can_reach(value.arms, arms) and not any(_surely(later.arms, value.arms) for later in found):
            found.append(value)
            if _surely(value.arms, arms):
                break
    return [value.statement for value in found]


def _can_reach(given: tuple[_Arm, ...], read: tuple[_Arm, ...]) -> bool:
    """Whether a value that is given inside some parts can be read inside others."""
    common = next((i for i, (a, b) in enumerate(zip(given, read, strict=False)) if a != b), min(len(given), len(read)))
    apart, here = given[common:], read[common:]
    if any(arm.kind is _Kind.FUNCTION for arm in apart):
        return False
    if apart and here and apart[0].whole == here[0].whole:
        return apart[0].kind is not _Kind.CHOICE or here[0].kind is not _Kind.CHOICE
    return True


def _surely(given: tuple[_Arm, ...], other: tuple[_Arm, ...]) -> bool:
    """Whether what stands inside `given` runs whenever what stands inside `other` does."""
    return other[: len(given)] == given

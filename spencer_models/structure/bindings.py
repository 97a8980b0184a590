"""Which variables a statement reads and which it gives a value, from its tree alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum, auto

from tree_sitter import Node

from spencer_models.structure.source import Source


class _Role(Enum):
    READ = auto()
    WRITE = auto()
    CHANGE = auto()  # read, then written
    DECLARE = auto()  # written; where the statement reads the name, it reads this
    NAME = auto()  # given to a function, so known around it and not only inside
    LOCAL = auto()  # of a lambda or a comprehension: unknown outside of it
    SKIP = auto()  # no variable


# By the node and the field of it in which a child stands; None for children outside of any field.
_FIELDS: dict[tuple[str, str | None], _Role] = {
    ("assignment", "left"): _Role.WRITE,
    ("augmented_assignment", "left"): _Role.CHANGE,
    ("named_expression", "name"): _Role.WRITE,
    ("for_statement", "left"): _Role.WRITE,
    ("for_in_clause", "left"): _Role.LOCAL,
    ("lambda", "parameters"): _Role.LOCAL,
    ("as_pattern", "alias"): _Role.WRITE,
    ("function_definition", "name"): _Role.NAME,
    ("function_definition", "parameters"): _Role.WRITE,
    ("class_definition", "name"): _Role.WRITE,
    ("default_parameter", "value"): _Role.READ,
    ("typed_default_parameter", "value"): _Role.READ,
    ("keyword_argument", "name"): _Role.SKIP,
    ("import_statement", "name"): _Role.WRITE,
    ("import_from_statement", "name"): _Role.WRITE,
    ("import_from_statement", "module_name"): _Role.SKIP,
    ("aliased_import", "name"): _Role.SKIP,
    ("aliased_import", "alias"): _Role.WRITE,
    ("global_statement", None): _Role.SKIP,
    ("nonlocal_statement", None): _Role.SKIP,
    ("class_pattern", None): _Role.READ,
    ("variable_declarator", "name"): _Role.DECLARE,
    ("catch_formal_parameter", "name"): _Role.DECLARE,
    ("resource", "name"): _Role.DECLARE,
    ("enhanced_for_statement", "name"): _Role.DECLARE,
    ("instanceof_expression", "name"): _Role.DECLARE,
    ("type_pattern", None): _Role.DECLARE,
    ("record_pattern_component", None): _Role.DECLARE,
    ("record_pattern", None): _Role.SKIP,
    ("method_declaration", "parameters"): _Role.DECLARE,
    ("constructor_declaration", "parameters"): _Role.DECLARE,
    ("lambda_expression", "parameters"): _Role.LOCAL,
    ("update_expression", None): _Role.CHANGE,
    ("method_invocation", "name"): _Role.SKIP,
    ("break_statement", None): _Role.SKIP,
    ("continue_statement", None): _Role.SKIP,
    **{
        (f"{kind}_declaration", "name"): _Role.SKIP
        for kind in ("method", "constructor", "compact_constructor", "class", "interface", "enum", "record")
    },
}

# By the child itself, wherever it stands.
_TYPES: dict[str, _Role] = {
    "type": _Role.SKIP,
    "type_parameter": _Role.SKIP,
    "modifiers": _Role.SKIP,
    "import_declaration": _Role.SKIP,
    "package_declaration": _Role.SKIP,
    "case_pattern": _Role.WRITE,
    "record_pattern_body": _Role.READ,
}

# What is done to these is done to their parts.
_LISTS = frozenset(
    "pattern_list tuple_pattern list_pattern list_splat_pattern dictionary_splat_pattern tuple list"
    " parenthesized_expression as_pattern as_pattern_target case_pattern union_pattern splat_pattern dict_pattern"
    " keyword_pattern parameters lambda_parameters default_parameter typed_parameter typed_default_parameter"
    " aliased_import dotted_name formal_parameters formal_parameter spread_parameter inferred_parameters".split()
)
_PATHS = {"attribute": "attribute", "field_access": "field"}
_ELEMENTS = {("subscript", "value"), ("array_access", "array")}


@dataclass(slots=True)
class Bindings:
    """The names that a statement reads and writes; `names` are those of functions, known around their bodies.

    An attribute is a variable of its own, by its dotted name: `self.size = 1` reads `self` and writes `self.size`, and
    who reads `self.size` reads both. An assignment to an element, `a[i] = 1`, reads and writes `a`.
    """

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


def bindings(source: Source, statement: Node, left_out: Collection[int]) -> Bindings:
    """What `statement` does without its children whose ids are in `left_out`."""
    found = _Finder(source)
    found.visit(statement, left_out)
    return found.result()


class _Finder:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._by_role: dict[_Role, set[str]] = {role: set() for role in _Role}

    def result(self) -> Bindings:
        by = self._by_role
        own = by[_Role.LOCAL] | by[_Role.DECLARE]
        reads = {name for name in by[_Role.READ] | by[_Role.CHANGE] if name.partition(".")[0] not in own}
        writes = (by[_Role.WRITE] | by[_Role.CHANGE] | by[_Role.DECLARE]) - by[_Role.LOCAL]
        return Bindings(reads, writes, by[_Role.NAME])

    def visit(self, statement: Node, left_out: Collection[int]) -> None:
        todo = [(statement, _Role.READ)]
        while todo:
            node, role = todo.pop()
            if role is _Role.SKIP:
                continue
            if node.type == "identifier":
                self._by_role[role].add(self._source.text(node))
            elif node.type in _PATHS:
                todo += [(root, _Role.READ) for root in self._path(node, role)]
            else:
                parts = [(c, _role(node, i, c, role)) for i, c in enumerate(node.children) if c.id not in left_out]
                todo += parts[:1] if node.type == "dotted_name" else parts

    def _path(self, node: Node, role: _Role) -> list[Node]:
        """Records `a.b.c`; returns what the path starts from where that is no name."""
        fields: list[str] = []
        root: Node | None = node
        while root is not None and root.type in _PATHS:
            last = root.child_by_field_name(_PATHS[root.type])
            fields += [self._source.text(last)] if last is not None else []
            root = root.child_by_field_name("object")
        if root is None or root.type not in ("identifier", "this"):
            return [root] if root is not None else []
        path = self._source.text(root)
        owners = []
        for name in reversed(fields):
            owners.append(path)
            path = f"{path}.{name}"
        self._by_role[_Role.READ].update(owners)
        self._by_role[role].add(path)
        return []


def _role(node: Node, place: int, child: Node, role: _Role) -> _Role:
    """What `node`, to which `role` is done, does to its child at `place`."""
    if child.type in _TYPES:
        return _TYPES[child.type]
    name = node.field_name_for_child(place)
    if (node.type, name) in _FIELDS:
        return _FIELDS[node.type, name]
    if (node.type, name) in _ELEMENTS:
        return _Role.READ if role is _Role.READ else _Role.CHANGE
    if (node.type, name) == ("assignment_expression", "left"):
        operator = node.child_by_field_name("operator")
        return _Role.WRITE if operator is None or operator.type == "=" else _Role.CHANGE
    if child.type == "identifier" and (node.type == "keyword_pattern" or _is_member(child)):
        return _Role.SKIP
    if node.type == "case_pattern" and child.type == "dotted_name" and child.named_child_count > 1:
        return _Role.READ
    return role if node.type in _LISTS else _Role.READ


def _is_member(node: Node) -> bool:
    """Whether this is `name` in `Class::name`."""
    return node.prev_sibling is not None and node.prev_sibling.type == "::"

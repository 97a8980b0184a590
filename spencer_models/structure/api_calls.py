"""The API sequence of a function: what it calls, in the order of evaluation (Gu et al., Deep code search, 2018)."""

from __future__ import annotations

from tree_sitter import Node

from spencer_models.structure.source import Source

_COMPREHENSIONS = frozenset(
    {"list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression"}
)
_TYPED_NAMES = frozenset({"formal_parameter", "enhanced_for_statement", "resource"})


def api_calls(source: Source) -> list[str]:
    """The names of all calls: those of receiver and arguments before the call's own, a condition's before its branches.

    Java: `Class.method` where the receiver's type can be read off a declaration above, a cast, a literal or the name of
    a class; `Class.new` for a constructor; else `method` alone. Python: the dotted name as written, and of a method of
    something that is no name the method alone. What stands in a lambda or a nested function counts where it stands.
    """
    names = _JavaNames(source) if source.language == "java" else _PythonNames(source)
    calls: list[str] = []
    todo = [(source.root, False)]
    while todo:
        node, evaluated = todo.pop()
        if evaluated:
            calls.append(names.call(node))
            continue
        names.enter(node)
        before, after = _evaluation(node)
        todo += [(child, False) for child in reversed(after)]
        todo.append((node, True))
        todo += [(child, False) for child in reversed(before)]
    return [call for call in calls if call]


def _evaluation(node: Node) -> tuple[list[Node], list[Node]]:
    """The node's children that are evaluated before itself, and those after, each in their order."""
    children = node.named_children
    if node.type in _COMPREHENSIONS:
        return children[1:] + children[:1], []
    if node.type == "assignment":
        return children[::-1], []
    if node.type == "conditional_expression" and len(children) == 3:
        value, condition, other = children
        return [condition, value, other], []
    if node.type == "for_statement":
        updates = node.children_by_field_name("update")
        return [child for child in children if child not in updates] + updates, []
    if node.type == "object_creation_expression":
        body = [child for child in children if child.type == "class_body"]
        return [child for child in children if child not in body], body
    return children, []


def _code_child(node: Node, place: int) -> Node | None:
    """The first (0) or last (-1) child that is neither a comment nor a mere sign."""
    children = [child for child in node.named_children if not child.is_extra]
    return children[place] if children else None


class _PythonNames:
    """What a call in Python is called."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def enter(self, node: Node) -> None:
        """Nothing is declared in Python."""

    def call(self, node: Node) -> str:
        """The name of a call; "" for any other node and for a call of something that has no name."""
        called = node.child_by_field_name("function") if node.type == "call" else None
        parts: list[str] = []
        while called is not None and called.type == "attribute":
            attribute = called.child_by_field_name("attribute")
            parts += [self._source.text(attribute)] if attribute is not None else []
            called = called.child_by_field_name("object")
        if called is not None and called.type == "identifier":
            parts.append(self._source.text(called))
            return ".".join(reversed(parts))
        return parts[0] if parts else ""


class _JavaNames:
    """What a call in Java is called, by the types of the variables declared so far."""

    def __init__(self, source: Source) -> None:
        self._source = source
        # "" where a name is a variable's but its type is unknown, primitive or an array.
        self._types: dict[str, str] = {}

    def enter(self, node: Node) -> None:
        """Learns the types of the variables that `node` declares."""
        if node.type in ("local_variable_declaration", "field_declaration"):
            for declarator in node.children_by_field_name("declarator"):
                self._declare(declarator, self._declared_type(node, declarator))
        elif node.type in _TYPED_NAMES:
            self._declare(node, self._declared_type(node, node))
        elif node.type == "catch_formal_parameter":
            alternatives = next((child for child in node.named_children if child.type == "catch_type"), node)
            self._declare(node, self._type_name(_code_child(alternatives, 0)))
        elif node.type == "instanceof_expression":
            self._declare(node, self._type_name(node.child_by_field_name("right")))
        elif node.type == "lambda_expression":
            parameters = node.child_by_field_name("parameters")
            if parameters is not None and parameters.type != "formal_parameters":
                for name in [parameters] if parameters.type == "identifier" else parameters.named_children:
                    self._types[self._source.text(name)] = ""

    def call(self, node: Node) -> str:
        """The name of a call; "" for any other node."""
        if node.type == "object_creation_expression":
            name = self._type_name(node.child_by_field_name("type"))
            return f"{name}.new" if name else ""
        if node.type != "method_invocation":
            return ""
        name = self._source.text(node.child_by_field_name("name") or node)
        receiver = self._receiver_type(node.child_by_field_name("object"))
        return f"{receiver}.{name}" if receiver else name

    def _declare(self, node: Node, type_name: str) -> None:
        name = node.child_by_field_name("name")
        if name is not None:
            self._types[self._source.text(name)] = type_name

    def _declared_type(self, declaration: Node, declarator: Node) -> str:
        if declarator.child_by_field_name("dimensions") is not None:
            return ""
        name = self._type_name(declaration.child_by_field_name("type"))
        if name != "var":
            return name
        value = declarator.child_by_field_name("value")
        if value is None or value.type != "object_creation_expression" or declarator.type == "enhanced_for_statement":
            return ""
        return self._type_name(value.child_by_field_name("type"))

    def _type_name(self, node: Node | None) -> str:
        """`List` of `java.util.List<String>`; "" of a primitive type and of an array."""
        while node is not None and node.type in ("generic_type", "scoped_type_identifier", "annotated_type"):
            node = _code_child(node, 0 if node.type == "generic_type" else -1)
        return self._source.text(node) if node is not None and node.type == "type_identifier" else ""

    def _receiver_type(self, node: Node | None) -> str:
        while node is not None and node.type == "parenthesized_expression":
            node = _code_child(node, 0)
        if node is None:
            return ""
        if node.type in ("object_creation_expression", "cast_expression"):
            return self._type_name(node.child_by_field_name("type"))
        if node.type == "string_literal":
            return "String"
        return self._path_type(node)

    def _path_type(self, node: Node) -> str:
        """The type of `variable` and `this.field`; of `java.util.Collections` and `System.out`, what stands from the
        class on."""
        parts: list[str] = []
        inner: Node | None = node
        while inner is not None and inner.type == "field_access":
            field = inner.child_by_field_name("field")
            parts += [self._source.text(field)] if field is not None else []
            inner = inner.child_by_field_name("object")
        if inner is None or inner.type not in ("identifier", "this", "super"):
            return ""
        root = self._source.text(inner)
        parts = [root, *reversed(parts)]
        if root == "this":
            return self._types.get(parts[1], "") if len(parts) == 2 else ""
        if root in self._types:
            return self._types[root] if len(parts) == 1 else ""
        first = 0 if root == "super" else next((i for i, part in enumerate(parts) if part[:1].isupper()), len(parts))
        return ".".join(parts[first:])

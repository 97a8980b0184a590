"""Syntax trees of functions that stand alone, and data flow against graphs worked out by hand.

In the expected graphs ("x", 2) is the second occurrence of the token x, comments and docstrings left out.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spencer_models.structure.dataflow import MAX_DEPTH, dataflow
from spencer_models.structure.trees import parse, preorder, source_bytes

Occurrence = tuple[str, int]
Edges = dict[Occurrence, list[Occurrence]]

PYTHON: dict[str, tuple[str, Edges]] = {
    "assignment": (
        'def add(a, b):\n    """Says x = b."""\n    x = a + b  # not x = a\n    return x\n',
        {
            ("x", 1): [("a", 2), ("b", 2)],
            ("a", 2): [("a", 1)],
            ("b", 2): [("b", 1)],
            ("x", 2): [("x", 1)],
        },
    ),
    "tuples and augmented assignment": (
        "def swap(a, b):\n    a, b = b, a\n    a += 1\n    return a, b\n",
        {
            ("a", 2): [("b", 3)],
            ("b", 2): [("a", 3)],
            ("b", 3): [("b", 1)],
            ("a", 3): [("a", 1)],
            ("a", 4): [("1", 1)],
            ("a", 5): [("a", 4)],
            ("b", 4): [("b", 2)],
        },
    ),
    "attributes, part by part": (
        "def move(self, other):\n    self.x = other.y\n    self.z = f(other)\n",
        {
            ("self", 2): [("other", 2)],
            ("x", 1): [("y", 1)],
            ("other", 2): [("other", 1)],
            ("self", 3): [("f", 1), ("other", 3)],
            ("z", 1): [("f", 1), ("other", 3)],
            ("other", 3): [("other", 1)],
        },
    ),
    "if without else": (
        "def clip(x, top):\n    if x > top:\n        x = top\n    return x\n",
        {
            ("x", 2): [("x", 1)],
            ("top", 2): [("top", 1)],
            ("x", 3): [("top", 3)],
            ("top", 3): [("top", 1)],
            ("x", 4): [("x", 1), ("x", 3)],
        },
    ),
    "if, elif and else": (
        "def pick(a, b):\n  if a > b:\n    x = a\n  elif a:\n    x = b\n  else:\n    x = 0\n  return x\n",
        {
            ("a", 2): [("a", 1)],
            ("b", 2): [("b", 1)],
            ("x", 1): [("a", 3)],
            ("a", 3): [("a", 1)],
            ("a", 4): [("a", 1)],
            ("x", 2): [("b", 3)],
            ("b", 3): [("b", 1)],
            ("x", 3): [("0", 1)],
            ("x", 4): [("x", 1), ("x", 2), ("x", 3)],
        },
    ),
    "for": (
        "def total(items):\n    s = 0\n    for item in items:\n        s = s + item\n    return s\n",
        {
            ("s", 1): [("0", 1)],
            ("item", 1): [("items", 2)],
            ("items", 2): [("items", 1)],
            ("s", 2): [("s", 3), ("item", 2)],
            ("s", 3): [("s", 1), ("s", 2)],
            ("item", 2): [("item", 1)],
            ("s", 4): [("s", 2)],
        },
    ),
    "for with pairs and else": (
        "def last(d):\n    for k, v in d, d:\n        x = v\n    else:\n        x = k\n    return x\n",
        {
            ("k", 1): [("d", 2)],
            ("v", 1): [("d", 3)],
            ("d", 2): [("d", 1)],
            ("d", 3): [("d", 1)],
            ("x", 1): [("v", 2)],
            ("v", 2): [("v", 1)],
            ("x", 2): [("k", 2)],
            ("k", 2): [("k", 1)],
            ("x", 3): [("x", 2)],
        },
    ),
    "while": (
        "def down(n):\n    while n:\n        n = n - 1\n    return n\n",
        {
            ("n", 2): [("n", 1), ("n", 3)],
            ("n", 3): [("n", 4), ("1", 1)],
            ("n", 4): [("n", 1), ("n", 3)],
            ("n", 5): [("n", 3)],
        },
    ),
    "parameters with defaults": (
        "def scale(x, by=2, *, base: int = zero):\n    return x * by + base\n",
        {
            ("by", 1): [("2", 1)],
            ("base", 1): [("zero", 1)],
            ("x", 2): [("x", 1)],
            ("by", 2): [("by", 1)],
            ("base", 2): [("base", 1)],
        },
    ),
    "comprehension": (
        "def squares(xs):\n    return [x * x for x in xs if x]\n",
        {
            ("xs", 2): [("xs", 1)],
            ("x", 1): [("x", 3)],
            ("x", 2): [("x", 3)],
            ("x", 3): [("xs", 2)],
            ("x", 4): [("x", 3)],
        },
    ),
}

JAVA: dict[str, tuple[str, Edges]] = {
    "declarators and assignment": (
        "/** int a; */\nint f(int a) { int b = a, c; c = b; // c = a\n return c; }",
        {
            ("b", 1): [("a", 2)],
            ("a", 2): [("a", 1)],
            ("c", 2): [("b", 2)],
            ("b", 2): [("b", 1)],
            ("c", 3): [("c", 2)],
        },
    ),
    "update": (
        "int next(int i) { i++; return i; }",
        {("i", 2): [("i", 2)], ("i", 3): [("i", 2)]},
    ),
    "if and else": (
        "int pick(int a, int b) { int x = 0; if (a > b) { x = a; } else { x = b; } return x; }",
        {
            ("x", 1): [("0", 1)],
            ("a", 2): [("a", 1)],
            ("b", 2): [("b", 1)],
            ("x", 2): [("a", 3)],
            ("a", 3): [("a", 1)],
            ("x", 3): [("b", 3)],
            ("b", 3): [("b", 1)],
            ("x", 4): [("x", 1), ("x", 2), ("x", 3)],
        },
    ),
    "for": (
        "int sum(int n) { int s = 0; for (int i = 0; i < n; i++) { s += i; } return s; }",
        {
            ("s", 1): [("0", 1)],
            ("i", 1): [("0", 2)],
            ("i", 2): [("i", 1), ("i", 3)],
            ("n", 2): [("n", 1)],
            ("i", 3): [("i", 3)],
            ("s", 2): [("i", 4)],
            ("i", 4): [("i", 3)],
            ("s", 3): [("s", 2)],
        },
    ),
    "enhanced for": (
        "int sum(int[] xs) { int s = 0; for (int x : xs) { s = s + x; } return s; }",
        {
            ("s", 1): [("0", 1)],
            ("x", 1): [("xs", 2)],
            ("xs", 2): [("xs", 1)],
            ("s", 2): [("s", 3), ("x", 2)],
            ("s", 3): [("s", 1), ("s", 2)],
            ("x", 2): [("x", 1)],
            ("s", 4): [("s", 2)],
        },
    ),
    "while": (
        "int halve(int n) { while (n > 1) { n = n / 2; } return n; }",
        {
            ("n", 2): [("n", 1), ("n", 3)],
            ("n", 3): [("n", 4), ("2", 1)],
            ("n", 4): [("n", 1), ("n", 3)],
            ("n", 5): [("n", 3)],
        },
    ),
    "constructor": (
        "Point(int x) { this.x = x; }",
        {("x", 2): [("x", 3)], ("x", 3): [("x", 1)]},
    ),
}


def edges(code: str, language: str) -> Edges:
    """The graph by occurrences, as in the expectations above."""
    flow = dataflow(code, language)
    seen: Counter[str] = Counter()
    occurrences = []
    for start, end in flow.tokens:
        seen[code[start:end]] += 1
        occurrences.append((code[start:end], seen[code[start:end]]))
    return {occurrences[target]: [occurrences[source] for source in sources] for target, sources in flow.edges}


@pytest.mark.parametrize("case", PYTHON)
def test_python(case: str) -> None:
    code, expected = PYTHON[case]
    assert edges(code, "python") == expected


@pytest.mark.parametrize("case", JAVA)
def test_java(case: str) -> None:
    code, expected = JAVA[case]
    assert edges(code, "java") == expected


def test_tokens_are_leaves_without_comments_and_docstrings() -> None:
    code = 'def é(a):\n    """Doc."""\n    # a comment\n    return f"{a} b" + \\\n        "é" "c"\n'
    flow = dataflow(code, "python")
    words = [code[start:end] for start, end in flow.tokens]
    assert words == ["def", "é", "(", "a", ")", ":", "return", 'f"{a} b"', "+", '"é"', '"c"']


def test_nodes_are_the_tokens_with_an_edge() -> None:
    flow = dataflow("def f(a, b):\n    x = a\n", "python")
    assert flow.tokens[3] == (6, 7)
    assert flow.nodes == (3, 8, 10)
    assert flow.edges == ((8, (10,)), (10, (3,)))


def test_other_languages_are_one_token() -> None:
    code = "fn f(a: i32) -> i32 { a }"
    assert dataflow(code, "rust").tokens == ((0, len(code)),)
    assert dataflow(code, "rust").nodes == ()
    assert dataflow("", "no such language").tokens == ()


@pytest.mark.parametrize("language", ["python", "java"])
def test_what_is_nested_too_deep_has_no_graph(language: str) -> None:
    for depth in (MAX_DEPTH, 4_000):
        body = f"x = a; y = {'(' * depth}x{')' * depth};"
        flow = dataflow(body if language == "python" else f"void f() {{ {body} }}", language)
        assert len(flow.tokens) > 2 * depth
        assert flow.edges == flow.nodes == ()


def test_loops_in_loops_are_given_up() -> None:
    """Read twice each, forty of them would take a million years."""
    code = "def f(a):\n" + "".join(f"{' ' * n}while a:\n" for n in range(1, 41)) + " " * 41 + "a = 1\n"
    assert dataflow(code, "python").edges == ()


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from(list("aé \n:=,()[]{}'\"#+;\\\x00\u2028if\ud800"))), st.sampled_from(["python", "java"]))
def test_any_text_gives_a_graph_over_its_own_tokens(code: str, language: str) -> None:
    flow = dataflow(code, language)
    bounds = [bound for span in flow.tokens for bound in span]
    assert bounds == sorted(bounds)
    assert all(0 <= start < end <= len(code) for start, end in flow.tokens)
    assert set(flow.nodes) == {token for target, sources in flow.edges for token in (target, *sources)}
    assert list(flow.nodes) == sorted(set(flow.nodes) & set(range(len(flow.tokens))))


@pytest.mark.parametrize(
    ("language", "code", "kind"),
    [
        ("java", "Foo(int é)\n{ this.a = é; }", "constructor_declaration"),
        ("java", "int f() { return 1; }", "method_declaration"),
        ("php", "function f($a) { return $a; }", "method_declaration"),
        ("php", "<?php function f($a) { return $a; }", "function_definition"),
        ("javascript", "get(a) { return a }", "method_definition"),
        ("python", "def f(a):\n    return a", "function_definition"),
    ],
)
def test_a_function_that_stands_alone_is_parsed_in_place(language: str, code: str, kind: str) -> None:
    root = parse(code, language).root_node
    source = source_bytes(code)
    nodes = list(preorder(root, lambda _: True))
    assert not root.has_error
    function = next(node for node in nodes if node.type == kind)
    assert source[function.start_byte : function.end_byte].decode() == code.removeprefix("<?php ")
    assert function.end_point == (code.count("\n"), len(source_bytes(code.rpartition("\n")[2])))
    leaves = [source[n.start_byte : n.end_byte] for n in nodes if n.child_count == 0]
    assert b"".join(b"".join(leaves).split()) == b"".join(source.split())


def test_source_with_errors_is_parsed_all_the_same() -> None:
    assert list(edges("int f(int a) { int b = a; b(", "java")) == [("b", 1), ("a", 2), ("b", 2)]


def test_walking_does_not_enter_what_it_should_not() -> None:
    root = parse("f(g(x))", "python").root_node
    kinds = [node.type for node in preorder(root, lambda node: node.type != "argument_list")]
    assert kinds == ["module", "expression_statement", "call", "identifier", "argument_list"]

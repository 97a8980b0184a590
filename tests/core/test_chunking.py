"""What holds for every chunk of every file, and how long definitions are cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spencer_desktop.core import chunking, line_windows, outline
from spencer_desktop.core.chunking import ChunkLimits, chunk_file
from spencer_desktop.core.grammars import has_grammar
from spencer_desktop.core.languages import LANGUAGES
from spencer_desktop.core.line_windows import SourceLines, split_span
from spencer_desktop.core.types import Chunk
from tests.core.chunk_cases import Case
from tests.core.test_chunking_braces import CASES as BRACES
from tests.core.test_chunking_systems import CASES as SYSTEMS
from tests.core.test_chunking_words import CASES as WORDS

PARSED = sorted(language for language in LANGUAGES if has_grammar(language))
FRAGMENTS = [
    *("def f(a):", "class A(B):", "    def m(self):", '    """Doc."""', "@decorator", "async def é():", "    return 1"),
    *("function f(a) {", "class A {", "}", "});", "const f = () => {", "export default {", "impl A {", "fn f() {}"),
    *("func (r *R) f() {", "type S struct {", "namespace a::b {", "template <class T>", "module A", "end", "do"),
    *(
        "/** Doc",
        " * more",
        " */",
        "// note",
        "# note",
        "-- | note",
        "{- x -}",
        "#[attr]",
        "#if X",
        "#endif",
        "## Head",
    ),
    *("f :: Int -> Int", "f 0 = 1", 'defmodule A do @doc "x"', "<?php", "namespace A;", "extension A {", "=begin"),
    *(
        "",
        "  ",
        "\t",
        "\r",
        "\x0c",
        "\x00",
        "\u2028",
        "\ufeff",
        "((((",
        "}}}}",
        '"""',
        "x = 1",
        "word " * 20,
        "y" * 300,
    ),
]
CODE = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("\n".join)
LIMITS = st.builds(
    ChunkLimits,
    max_chars=st.integers(1, 400),
    overlap_lines=st.integers(0, 5),
    max_line_chars=st.integers(1, 250),
    min_nested_chars=st.integers(0, 100),
    min_letters=st.integers(0, 20),
)
BROAD = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_sound(source: str, chunks: list[Chunk], limits: ChunkLimits) -> None:
    shown = [line[: limits.max_line_chars] for line in source.split("\n")]
    covered: set[int] = set()
    for chunk in chunks:
        assert 1 <= chunk.unit_start_line <= chunk.start_line <= chunk.end_line <= chunk.unit_end_line <= len(shown)
        assert chunk.text == "\n".join(shown[chunk.start_line - 1 : chunk.end_line])
        assert chunk.kind in {"function", "method", "class", "window"}
        assert chunk.kind == "window" or chunk.symbol
        assert len(chunk.signature) <= outline.MAX_SIGNATURE_CHARS
        assert "\n" not in chunk.signature
        if chunk.doc_span:
            assert 0 <= chunk.doc_span[0] < chunk.doc_span[1] <= len(chunk.text)
            assert chunk.doc
        covered.update(range(chunk.start_line, chunk.end_line + 1))
    spans = [(chunk.start_line, chunk.end_line) for chunk in chunks]
    assert spans == sorted(set(spans))
    assert covered >= {number for number, line in enumerate(shown, 1) if line.strip()}


@BROAD
@given(language=st.sampled_from(sorted(LANGUAGES)), source=st.text(), limits=LIMITS)
def test_any_text_is_covered_in_order_by_its_exact_lines(language: str, source: str, limits: ChunkLimits) -> None:
    assert_sound(source, chunk_file("file", language, source, limits), limits)


@BROAD
@given(language=st.sampled_from([*PARSED, "markdown"]), source=CODE, limits=LIMITS)
def test_broken_code_is_covered_in_order_by_its_exact_lines(language: str, source: str, limits: ChunkLimits) -> None:
    assert_sound(source, chunk_file("file", language, source, limits), limits)


@pytest.mark.parametrize("module", [chunking, line_windows, outline, pytest], ids=lambda module: module.__name__)
def test_real_files_are_covered_in_order_by_their_exact_lines(module: object) -> None:
    source = Path(str(module.__file__)).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    chunks = chunk_file("file.py", "python", source)
    assert_sound(source, chunks, ChunkLimits())
    assert all(len(chunk.text) <= ChunkLimits().max_chars + 200 for chunk in chunks)


@BROAD
@given(source=CODE, limits=LIMITS)
def test_pieces_fit_move_on_and_repeat_no_more_than_asked(source: str, limits: ChunkLimits) -> None:
    lines = SourceLines(source, limits)
    spans = split_span(lines, 0, len(lines.rows) - 1, limits.overlap_lines)
    for first, last in spans:
        assert lines.width(first, last) <= max(limits.max_chars, limits.max_line_chars + limits.max_chars // 4 + 1)
    for (_, last), (first, following) in pairwise(spans):
        assert last < following
        assert first > last - limits.overlap_lines


def test_every_language_with_a_grammar_has_a_sample() -> None:
    assert {case.language for case in [*BRACES, *SYSTEMS, *WORDS]} | {"cuda", "starlark"} == set(PARSED)


@pytest.mark.parametrize("case", [*BRACES, *SYSTEMS, *WORDS], ids=lambda case: case.language)
def test_the_documentation_span_holds_what_was_written(case: Case) -> None:
    documented = [chunk for chunk in chunk_file("file", case.language, case.text) if chunk.doc]
    assert documented
    for chunk in documented:
        assert chunk.doc_span is not None
        begin, end = chunk.doc_span
        written, rest = chunk.text[begin:end], chunk.text[:begin] + chunk.text[end:]
        opening = " ".join(chunk.doc.split()[:2])
        assert opening in written
        assert opening not in rest
        assert written == written.strip()


@pytest.mark.parametrize(
    ("language", "source", "signature"),
    [
        ("python", "async def f(a,\n        b=1) -> int:\n    return a", "async def f(a, b=1) -> int"),
        ("python", "class A(B, metaclass=M):\n    x = 1", "class A(B, metaclass=M)"),
        ("javascript", "export const f = async (a) => {\n}", "export const f = async (a) =>"),
        ("rust", "pub fn f<T>(a: T) -> T\nwhere\n    T: Copy,\n{\n    a\n}", "pub fn f<T>(a: T) -> T where T: Copy,"),
        ("c", "static int *\nf(void)\n{\n    return 0;\n}", "static int * f(void)"),
        ("cpp", "class API Ring final : public Base {\n  int x;\n};", "class API Ring final : public Base"),
        ("go", "type S struct {\n\tA int\n}", "type S"),
        ("scala", "def twice(a: Int): Int = a * 2", "def twice(a: Int): Int"),
        ("haskell", "f :: Int\n  -> Int\nf x = x", "f :: Int -> Int"),
        ("java", "class A { int f(int a) { return a; } }", "class A"),
    ],
)
def test_the_signature_is_the_declaration_on_one_line(language: str, source: str, signature: str) -> None:
    assert chunk_file("file", language, source)[0].signature == signature


def test_a_giant_signature_is_cut() -> None:
    source = "def f(" + ", ".join(f"argument_{n}" for n in range(1000)) + "):\n    pass"
    assert len(chunk_file("file", "python", source)[0].signature) == outline.MAX_SIGNATURE_CHARS


def statements(count: int, indent: str = "    ") -> str:
    return "".join(f"{indent}value_{n} = compute_something({n}, other={n})\n" for n in range(count))


def test_a_long_function_is_cut_into_overlapping_pieces_of_one_unit() -> None:
    source = (
        "# Head.\ndef first():\n"
        + statements(60)
        + "\n    if done:\n"
        + statements(20, " " * 8)
        + "\nprint(first(number=1))\n"
    )
    pieces = [chunk for chunk in chunk_file("file", "python", source) if chunk.symbol == "first"]
    assert len(pieces) > 2
    assert {(p.unit_start_line, p.unit_end_line, p.kind, p.signature) for p in pieces} == {
        (1, 84, "function", "def first()")
    }
    assert [piece.doc for piece in pieces] == ["Head."] + [""] * (len(pieces) - 1)
    assert all(len(piece.text) <= ChunkLimits().max_chars for piece in pieces)
    for before, after in pairwise(pieces):
        assert 1 <= before.end_line - after.start_line + 1 <= ChunkLimits().overlap_lines


def test_pieces_begin_where_the_text_does() -> None:
    source = "def f():\n" + statements(20) + "\n" + statements(12) + "    for x in y:\n" + statements(8, " " * 8)
    limits = ChunkLimits(overlap_lines=0)
    first, second = chunk_file("file", "python", source, limits)
    assert first.end_line == 21
    assert second.start_line == 23


def test_a_long_function_hands_out_the_functions_inside_it() -> None:
    inner = "    def helper(a):\n" + statements(8, " " * 8) + "\n    def tiny():\n        pass\n\n"
    source = "def outer():\n" + statements(30) + inner + statements(30)
    chunks = chunk_file("file", "python", source)
    helper = next(chunk for chunk in chunks if chunk.symbol == "outer.helper")
    assert (helper.kind, helper.start_line, helper.end_line) == ("function", 32, 40)
    assert {chunk.symbol for chunk in chunks} == {"outer", "outer.helper"}
    outer = [chunk for chunk in chunks if chunk.symbol == "outer"]
    assert {(chunk.unit_start_line, chunk.unit_end_line) for chunk in outer} == {(1, 74)}
    assert "def tiny" in "".join(chunk.text for chunk in outer)


def test_a_short_function_keeps_the_functions_inside_it() -> None:
    source = "def outer():\n    def inner():\n        return 1\n    return inner\n"
    (chunk,) = chunk_file("file", "python", source)
    assert (chunk.symbol, chunk.start_line, chunk.end_line) == ("outer", 1, 4)


def test_a_long_class_header_is_one_unit_without_its_methods() -> None:
    source = "class Table:\n" + statements(50) + "\n    def method(self):\n        return 1\n"
    chunks = chunk_file("file", "python", source)
    header = [chunk for chunk in chunks if chunk.kind == "class"]
    assert len(header) > 1
    assert {(chunk.unit_start_line, chunk.unit_end_line) for chunk in header} == {(1, 51)}
    assert [chunk.symbol for chunk in chunks if chunk.kind == "method"] == ["Table.method"]


def test_lines_that_say_nothing_join_the_chunk_before() -> None:
    source = "class A {\n  void first() { run(); }\n\n}\n\nclass B {\n  void second() { run(); }\n}\n"
    texts = [chunk.text for chunk in chunk_file("file", "java", source)]
    assert texts == [
        "class A {",
        "  void first() { run(); }\n\n}",
        "class B {",
        "  void second() { run(); }\n}",
    ]


def test_a_window_inside_a_class_carries_its_name() -> None:
    source = (
        "class A:\n    def m(self):\n        return 1\n\n    maximum_of_everything = 1\n\nminimum_of_everything = 2\n"
    )
    windows = [(c.symbol, c.text.strip()) for c in chunk_file("file", "python", source) if c.kind == "window"]
    assert windows == [("A", "maximum_of_everything = 1"), ("", "minimum_of_everything = 2")]


def test_windows_line_ends_stay_in_the_text() -> None:
    source = "# Doc.\r\ndef f():\r\n    return 1\r\n\r\n\r\nnumber_of_tries = 2\r\n"
    function, window = chunk_file("file", "python", source)
    assert function.text == "# Doc.\r\ndef f():\r\n    return 1\r"
    assert (function.doc, window.text) == ("Doc.", "number_of_tries = 2\r")


def test_spans_count_characters_not_bytes() -> None:
    source = 'def grüße():\n    """Ein Gruß – höflich."""\n    return "ß"\n'
    (chunk,) = chunk_file("file", "python", source)
    assert chunk.doc_span is not None
    assert chunk.text[slice(*chunk.doc_span)] == '"""Ein Gruß – höflich."""'


@pytest.mark.parametrize("language", ["javascript", "json", "text", "markdown"])
def test_of_a_giant_line_only_the_beginning_is_kept(language: str) -> None:
    source = "const a = 1;\nconst b = " + "(x)+" * 250_000 + "1;\nconst c = 3;\n"
    chunks = chunk_file("file", language, source)
    assert_sound(source, chunks, ChunkLimits())
    assert max(len(line) for chunk in chunks for line in chunk.text.split("\n")) == ChunkLimits().max_line_chars


def test_a_hundred_megabytes_on_one_line_are_one_small_chunk() -> None:
    (chunk,) = chunk_file("file", "text", "a" * 100_000_000)
    assert chunk.text == "a" * ChunkLimits().max_line_chars


def test_minified_code_does_not_give_a_chunk_for_each_function() -> None:
    source = "".join(f"function f{n}(a){{return a+{n}}}" for n in range(500))
    assert len(chunk_file("file.js", "javascript", source)) == 1


def test_markdown_breaks_at_headings_and_says_under_which() -> None:
    body = "Words that explain what is going on here.\n" * 6
    fenced = "```\n# not a heading\n```"
    source = f"# Guide\n{body}\n## Install ##\n{body}\n{fenced}\n### From source\n{body}\n# Contact\nWrite to us.\n"
    chunks = chunk_file("README.md", "markdown", source)
    assert [chunk.symbol for chunk in chunks] == [
        "Guide",
        "Guide > Install",
        "Guide > Install > From source",
        "Contact",
    ]
    assert [chunk.text.partition("\n")[0] for chunk in chunks] == [
        "# Guide",
        "## Install ##",
        "### From source",
        "# Contact",
    ]


def test_plain_text_breaks_at_blank_lines() -> None:
    paragraph = "First sentence.\n" + "One more sentence of the same paragraph.\n" * 10 + "Last sentence.\n"
    chunks = chunk_file("notes.txt", "text", "\n".join([paragraph] * 9))
    assert len(chunks) in {3, 4, 5}
    assert all(c.text.startswith("First sentence.") and c.text.endswith("Last sentence.") for c in chunks)


def test_a_macro_alone_on_a_line_does_not_hide_a_namespace() -> None:
    source = dedent(
        """\
        FOO_BEGIN_NAMESPACE
        namespace foo
        {
        int answer() { return 42; }
        }
        FOO_END_NAMESPACE
        """
    )
    (chunk,) = chunk_file("file", "cpp", source)
    assert (chunk.symbol, chunk.start_line, chunk.end_line) == ("foo.answer", 1, 6)


def test_a_licence_above_a_namespace_is_a_window_of_its_own() -> None:
    licence = "// Permission is hereby granted, free of charge, to any person.\n" * 8
    source = licence + "namespace Shop\n{\n    class Order { public int Count; }\n}\n"
    window, order = chunk_file("file", "csharp", source)
    assert (window.kind, window.start_line, window.end_line) == ("window", 1, 10)
    assert (order.symbol, order.start_line) == ("Shop.Order", 11)


def test_blank_files_have_no_chunks() -> None:
    assert [chunk_file("file", language, "\n \t\r\n\n") for language in ("python", "text", "c")] == [[], [], []]

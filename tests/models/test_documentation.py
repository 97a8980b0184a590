"""What documentation says in plain sentences, in the style of every language, and which sentences are questions."""

from __future__ import annotations

import time

import pytest

from spencer_desktop.core.chunking import chunk_file
from spencer_models.data.documentation import documentation, sentences
from spencer_models.data.filters import query_fault


@pytest.mark.parametrize(
    ("doc", "first"),
    [
        ("Return the name. More follows.", "Return the name"),
        ("Return the\n  name\n\nMore follows.", "Return the name"),
        ("Uses e.g. This one, i.e. That one.", "Uses e.g. This one, i.e. That one"),
        ("Args:\n  x: the value", ""),
        ("", ""),
        # reST
        ("Call :func:`~os.open` or ``close`` on it", "Call os.open or close on it"),
        (":param x: the value\n:returns: a name", ""),
        # NumPy
        ("Sum the rows\n\nParameters\n----------\nx : array", "Sum the rows"),
        ("Parameters\n----------\nx : array", ""),
        # A signature before the text
        ("find(name, path=None) -> module or None.\n\nSearch for a module.", "Search for a module"),
        # Javadoc
        (
            "Returns the <i>first</i> of {@code List<String>}.\n<p>More.\n@param x a",
            "Returns the first of List<String>",
        ),
        ("Opens {@link Shop#open(int)} by {@link Shop#close the closing call}.", "Opens Shop.open by the closing call"),
        ("Whether a &lt; b holds", "Whether a < b holds"),
        ("{@inheritDoc}", ""),
        ("@return the name", ""),
        ("Reads all of it:<ul><li>one<li>two</ul>", "Reads all of it"),
        # JSDoc
        ("@private\n@description Reads the file.\n@param {string} path", "Reads the file"),
        ("Reads [the file](https://x.org/a) at {@link https://x.org|the path}", "Reads the file at the path"),
        ("eslint-disable-next-line no-eval\nReads the file", "Reads the file"),
        # Doxygen
        ("\\brief Opens the file.\n\\param path the path", "Opens the file"),
        # rustdoc
        ("Pushes onto [`Vec`].\n\n# Examples\n\n```\nx\n```", "Pushes onto Vec"),
        # RDoc, YARD, TomDoc, RBS
        ("call-seq:\n  push(x) -> self\n\nAppends +x+ to {Stack#items}.", "Appends x to Stack#items"),
        ("Public: Opens the file.\n\npath - the String path\n\nReturns nothing.", "Opens the file"),
        ("Opens the file\n: (String) -> void", "Opens the file"),
        ("Convert “curly” text — all of it…", 'Convert "curly" text - all of it'),
        ("Format it by ISO 9075 (https://x.org/iso?a=b)", "Format it by ISO 9075"),
    ],
)
def test_the_first_sentence(doc: str, first: str) -> None:
    assert (sentences(doc, "", "ruby" if "+x+" in doc else "python") or [""])[0] == first


@pytest.mark.parametrize(
    ("doc", "first"),
    [
        ("Parse reads a tree.", "reads a tree"),
        ("Parse is like Read.", "Parse is like Read"),
        ("Parse() - read a tree", "read a tree"),
        ("Parse: read a tree", "read a tree"),
        ("Parses a tree.", "Parses a tree"),
    ],
)
def test_the_name_of_the_function_does_not_begin_the_question(doc: str, first: str) -> None:
    assert sentences(doc, "Reader.Parse", "go") == [first]


def test_later_sentences_stop_at_sections_tags_and_examples() -> None:
    doc = (
        "First one here. Right after it.\n\nThis is the second of them. It is a third one.\n\n"
        "    code = 1\n\n- an item of a list\n\n{}\n\nThis is an example of it."
    )
    wanted = ["First one here", "Right after it", "This is the second of them", "It is a third one"]
    for end in (">>> f(1)\n2", "Args:\n  x: a value", "@param x a value", "# Examples", "For example::", ".. note:: x"):
        assert sentences(doc.format(end), "f", "python") == wanted


def test_csharp_summary_and_remarks_are_kept_and_the_rest_of_the_xml_is_not() -> None:
    source = """class Shop
{
    /// <summary>
    /// Opens the <see cref="T:Shop.Door"/> of <see cref="List{T}"/>, or <paramref name="x"/>.
    /// </summary>
    /// <param name="x">A number of this.</param>
    /// <returns>A thing of that.</returns>
    /// <remarks><para>It is closed at night.</para><para>It &amp; its door.</para></remarks>
    public int Open(int x)
    {
        return x;
    }

    /// <summary>Closes it</summary>
    /// <param name="x">A number of this.</param>
    public int Close(int x)
    {
        return x;
    }

    /// <inheritdoc/>
    public int Sell(int x)
    {
        return x;
    }
}
"""
    methods = [c for c in chunk_file("a.cs", "csharp", source) if c.kind == "method"]
    assert [sentences(documentation(c), c.symbol, "csharp") for c in methods] == [
        ["Opens the Shop.Door of List, or x", "It is closed at night", "It & its door"],
        ["Closes it"],
        [],
    ]


@pytest.mark.parametrize(
    "doc", ["{@code {" * 1000, "<pre" * 2000, "/*" * 4000, ":(){}" * 1500, "f(" * 4000, "[`" * 4000]
)
def test_hostile_documentation_takes_no_time(doc: str) -> None:
    started = time.perf_counter()
    sentences(doc, "f", "ruby")
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("Return the number of lines", ""),
        ("Parses JSON text", ""),
        ("Authorize the request", ""),
        ("Too short", "documentation too short"),
        ("TODO: write what this is for", "boilerplate documentation"),
        ("Copyright 2020 by the authors of it", "boilerplate documentation"),
        ("(non-Javadoc) it is the same", "boilerplate documentation"),
        ("if (the_flag) { call(it); }", "documentation is code"),
        ("total = the sum of this", "documentation is code"),
        ("Return whether x == y is true of this", ""),
        ("Gibt die Anzahl der Zeilen zurück", "documentation not English"),
        ("Berechnet mehrere Zeilen sofort", "documentation not English"),
        ("a | b | c | [x] {y} -> ===", "documentation not English"),
        ("the word " * 200, "documentation too long"),
    ],
)
def test_query_fault(query: str, fault: str) -> None:
    assert query_fault(query) == fault

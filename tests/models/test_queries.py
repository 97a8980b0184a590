"""Other ways of asking, the form in which a model reads a pair, and keys of what counts as the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from spencer_desktop.core.text import code_text
from spencer_models.config import TextConfig
from spencer_models.data.corpus import Pair, text_number
from spencer_models.data.keys import code_key, query_key
from spencer_models.data.queries import keywords, question, symbol_words, terse, training_query, variants
from spencer_models.examples import Examples


def test_keys_ignore_what_does_not_make_a_difference() -> None:
    assert query_key("How to:  open-a file?") == query_key("how to open a FILE")
    assert code_key('x = "one"  # a\ny = 12') == code_key("x='two'\ny = 7 # b")
    assert code_key("x = 1") != code_key("y = 1")
    assert code_key("int x; /* a\n b */ // c\nx = 1;") == code_key("int x;\n\n\tx=2;")


def test_variants_ask_for_the_same_thing_in_other_words() -> None:
    assert variants("Returns the path of a file", "Reader.filePath") == (
        "Returns the path of a file",
        "returns path file",
        "how to get the path of a file",
        "reader file path",
    )
    assert question("Check whether the list is empty") == "how to check if the list is empty"
    assert question("Parses JSON text") == "how to parse JSON text"
    assert question("The name of this") == "The name of this"
    assert terse("Return True if the value is set") == "return true value set"
    sentence = "Return the sum of all prices paid"
    assert [keywords(sentence, n) for n in (0, 1)] == ["sum all paid", "return sum prices paid"]
    assert keywords("Close it", 1) == "close"
    assert symbol_words("HTTPServer.parse_request") == "http server parse request"


def test_training_texts_are_chosen_by_content_and_cover_all_forms() -> None:
    code = 'def f{n}():\n    """Return the part\n    {n} of it. Or none of its parts."""\n    x'
    pairs = [
        Pair(f"Return the part {n} of it", code.format(n=n), f"def f{n}():\n    x", f"A.f{n}", "", "", "")
        for n in range(200)
    ]
    codes = [e.code for e in Examples(pairs, TextConfig(16, 32, 48, documented=True))]
    with_doc = [code.text for code in codes if '"""' in code.text]
    assert 60 < len(with_doc) < 140
    assert all('"""' + ' Or none of its parts."""' in text for text in with_doc)
    assert all(code_text(code.symbol, code.text).startswith("A.f") for code in codes)
    known = [(*variants(p.query, p.symbol), *(keywords(p.query, turn) for turn in range(3))) for p in pairs]
    ways = Counter(ways.index(training_query(p)) for ways, p in zip(known, pairs, strict=True))
    assert set(ways) >= {0, 1, 2, 3}
    assert sum(ways[turn] for turn in (4, 5, 6)) > 10
    asked = [training_query(replace(p, language="cpp")) for p in pairs]
    naming = [query for query in asked if "c++" in query]
    assert 15 < len(naming) < 60
    assert {query.startswith("c++ ") for query in naming} == {True, False}
    assert {query.endswith(" in c++") for query in naming} == {True, False}
    again = [training_query(Pair("Open C++ files", f"x{n}", "x", "", "cpp", "", "")) for n in range(99)]
    assert max(query.lower().count("c++") for query in again) == 1
    assert [training_query(p) for p in pairs] == [training_query(p) for p in pairs]


def test_a_pair_is_shown_otherwise_in_each_turn() -> None:
    code = '"""Return the part of it. Or none of all its other parts."""'
    pair = Pair("Return the part of it", code, "x", "Whole.find_part", "python", "", "")
    examples = Examples([pair], TextConfig(16, 32, 48, documented=True, rewritten=True))
    shown = [examples.shown(0, turn) for turn in range(96)]
    assert shown[0] == examples[0]
    assert len({example.query for example in shown}) > 8
    ways = Counter((example.query, example.code.text == "x") for example in shown)
    # Each way of asking comes with documentation and without.
    common = {query for query, _ in ways if ways[query, True] + ways[query, False] > 5}
    assert common
    assert all(ways[query, True] and ways[query, False] for query in common)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "/**\n * Reads the\n * file.\n * Is slower than others.\n */\nf()",
            "/**\n * \n * Is slower than others.\n */\nf()",
        ),
        ("// Reads the `file`. Is slower than others.\nf()", "//  Is slower than others.\nf()"),
        ("// read Reads the file. Is slower than others.\nf()", "//  Is slower than others.\nf()"),
        ("// read Reads the file.\nf()", "f()"),
        ("/** <summary>Reads the file.</summary>\n @returns nothing */f()", "f()"),
        ("// Opens it. Is slower than others.\nf()", "f()"),
    ],
)
def test_a_function_keeps_what_its_documentation_says_beside_the_question(code: str, expected: str) -> None:
    pair = Pair("Reads the file", code, "f()", "Files.read", "", "", "")
    # One in two keeps any; this is one.
    assert text_number(pair.query) % 2
    settings = TextConfig(16, 32, 48, documented=True)
    assert Examples([pair], settings)[0].code.text == expected

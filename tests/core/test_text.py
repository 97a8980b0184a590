"""What a model and the text index read of a question and of code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spencer_desktop.core.text import (
    MAX_CODE_CHARS,
    MAX_QUERY_CHARS,
    code_header,
    code_text,
    content_digest,
    query_text,
    split_identifier,
    stem,
    terms,
)

ascii_words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=8)
identifiers = st.from_regex(r"[A-Za-z0-9_]{1,30}", fullmatch=True)
lower_words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=14)


def test_a_question_is_one_line() -> None:
    assert query_text("  parse\n\ta   date\r\n") == "parse a date"


def test_a_question_is_cut_to_what_a_model_can_read() -> None:
    assert query_text("x" * 1_000_000) == "x" * MAX_QUERY_CHARS


def test_bytes_of_an_argument_that_are_no_text_become_question_marks() -> None:
    assert query_text("caf\udce9 au lait") == "caf? au lait"


@given(st.text(st.characters(codec=None)))
def test_a_question_is_text_that_every_tokenizer_takes(question: str) -> None:
    text = query_text(question)
    text.encode("utf-8")
    assert text == " ".join(text.split())


@pytest.mark.parametrize(
    ("symbol", "code", "header"),
    [
        ("Session.get", "def get(self): ...", "Session.get\n"),
        ("parse", "def parse(): ...", ""),
        ("parse", "    return rest", "parse\n"),
        ("", "x = 1", ""),
    ],
    ids=["a method does not name its class", "the code says it", "a later piece", "no symbol"],
)
def test_code_header(symbol: str, code: str, header: str) -> None:
    assert code_header(symbol, code) == header
    assert code_text(symbol, code) == header + code


def test_code_is_cut_to_what_a_model_can_read() -> None:
    text = code_text("Owner.name", "y" * 2 * MAX_CODE_CHARS)
    assert len(text) == MAX_CODE_CHARS
    assert text.startswith("Owner.name\nyyy")


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_a_digest_names_one_input(first: tuple[str, str], second: tuple[str, str]) -> None:
    first, second = ((header.replace("\0", ""), text.replace("\0", "")) for header, text in (first, second))
    assert (content_digest(*first) == content_digest(*second)) == (first == second)
    assert len(content_digest(*first)) == 16


@pytest.mark.parametrize(
    ("identifier", "parts"),
    [
        ("parseHTTPResponse_v2", ["parse", "http", "response", "v", "2"]),
        ("__init__", ["init"]),
        ("snake_case_name", ["snake", "case", "name"]),
        ("XMLHttpRequest", ["xml", "http", "request"]),
        ("MAX_SIZE", ["max", "size"]),
        ("utf8Decode", ["utf", "8", "decode"]),
        ("größeBerechnen", ["größeberechnen"]),
        ("größe_berechnen", ["größe", "berechnen"]),
        ("___", []),
    ],
)
def test_split_identifier(identifier: str, parts: list[str]) -> None:
    assert split_identifier(identifier) == parts


@given(identifiers)
def test_splitting_loses_no_character(identifier: str) -> None:
    parts = split_identifier(identifier)
    assert "".join(parts) == identifier.replace("_", "").lower()
    assert "" not in parts


@given(st.lists(ascii_words, min_size=1, max_size=5))
def test_all_spellings_of_a_name_have_the_same_parts(words: list[str]) -> None:
    pascal = "".join(w.capitalize() for w in words)
    spellings = ["_".join(words), "_".join(words).upper(), pascal, pascal[0].lower() + pascal[1:]]
    assert [split_identifier(s) for s in spellings] == [words] * 4


@pytest.mark.parametrize(
    "family",
    [
        "parse parses parser parsing parsed",
        "query queries",
        "class classes",
        "process processes processing processor",
        "string strings",
        "file files",
        "node nodes",
        "index indexes indexing indexer indexed",
        "create creates creator creation",
        "stop stopped stopping",
        "user users",
    ],
)
def test_words_of_one_family_have_one_stem(family: str) -> None:
    assert len({stem(word) for word in family.split()}) == 1


@pytest.mark.parametrize("pair", ["string str", "ring ran", "user use", "pass pas", "map main", "größer größe"])
def test_different_words_stay_apart(pair: str) -> None:
    first, second = pair.split()
    assert stem(first) != stem(second)


@given(lower_words)
def test_a_stem_begins_its_word(word: str) -> None:
    assert word.startswith(stem(word))
    assert len(stem(word)) >= min(len(word), 2)


def test_terms_hold_the_stemmed_parts_and_the_whole() -> None:
    assert terms("def parse_dates(text): Session.openAll()") == (
        ["def", "parse_dates", "pars", "dat", "text", "sess", "openall", "open", "all"]
    )


def test_terms_of_punctuation_are_none() -> None:
    assert terms("!= <=> ___ \udcff ()\n") == []


@given(st.text(), st.text())
def test_terms_are_those_of_the_parts(first: str, second: str) -> None:
    assert terms(f"{first} {second}") == terms(first) + terms(second)


@given(st.text(st.characters(codec=None)))
def test_terms_are_safe_between_quotes(text: str) -> None:
    for term in terms(text):
        assert term
        assert '"' not in term
        assert term == "".join(term.split())
        term.encode("utf-8")

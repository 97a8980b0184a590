"""The question box's language: what is a filter, what is the question, and what a word may become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spencer_desktop.core.types import Filters, Mode
from spencer_desktop.gui.question import Asked, Completion, completions, named, read, with_filter, without_filter, write

VALUES = st.text(st.characters(exclude_characters='"', exclude_categories=("C",)), min_size=1, max_size=8).filter(
    lambda v: v.strip() != "" and v == v.strip()
)
WORDS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8),
        st.sampled_from(
            ["lang:go", "\\path:x", "mode:regex", "mode:odd", "std::vector", "\\\\kind:a", 'repo:"', "lang:"]
        ),
    ),
    max_size=5,
)
MANY = st.lists(VALUES, max_size=3, unique=True).map(tuple)
FILTERS = st.builds(Filters, repositories=MANY, languages=MANY, path_globs=MANY, kinds=MANY)


@pytest.mark.parametrize(
    ("box", "asked"),
    [
        ("", Asked("")),
        ("how are redirects followed", Asked("how are redirects followed")),
        ("lang:python parse a date", Asked("parse a date", Filters(languages=("python",)))),
        ("parse LANG:go a date lang:c++", Asked("parse a date", Filters(languages=("go", "c++")))),
        ('path:"my files/*.py" x', Asked("x", Filters(path_globs=("my files/*.py",)))),
        ("mode:regex ^def", Asked("^def", mode=Mode.REGEX)),
        ("mode:Semantic mode:lexical x", Asked("x", mode=Mode.LEXICAL)),
        ("kind:method repo:api x", Asked("x", Filters(repositories=("api",), kinds=("method",)))),
        ("lang:go lang:go x", Asked("x", Filters(languages=("go",)))),
        # Nothing of these is a filter.
        ("std::vector http://a path: b", Asked("std::vector http://a path: b")),
        ("mode:quick xpath:y", Asked("mode:quick xpath:y")),
        ('lang:" " x', Asked('lang:" " x')),
        ("\\lang:python is odd", Asked("lang:python is odd")),
        ("\\\\lang:python", Asked("\\lang:python")),
    ],
)
def test_filters_are_told_from_the_question(box: str, asked: Asked) -> None:
    assert read(box) == asked


@given(WORDS.map(" ".join), FILTERS, st.sampled_from([None, *Mode]))
def test_what_is_written_reads_the_same(text: str, filters: Filters, mode: Mode | None) -> None:
    asked = Asked(text.strip(), filters, mode)
    assert read(write(asked)) == asked


@given(st.text(max_size=40))
def test_any_text_reads_and_settles(box: str) -> None:
    asked = read(box)
    assert read(write(asked)) == asked


def test_a_chip_is_added_and_taken_away() -> None:
    filters = with_filter(with_filter(Filters(), "lang", "go"), "path", "src/")
    assert list(named(filters)) == [("lang", "go"), ("path", "src/")]
    assert with_filter(filters, "lang", "go") == filters
    assert without_filter(filters, "lang", "go") == Filters(path_globs=("src/",))


KNOWN = {"lang": ("python", "cpp", "typescript"), "repo": ("api", "my tools")}


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ("lang:p", ["python", "cpp", "typescript"]),
        ("parse la", ["lang:"]),
        ("mo", ["mode:"]),
        ("", []),
        ("date ", []),
        ("repo:", ["api", '"my tools"']),
        ('repo:"my t', ['"my tools"']),
        ("kind:m", ["method"]),
        ("mode:se", ["semantic"]),
        ("path:s", []),
        ("xlang:p", []),
    ],
)
def test_a_word_is_completed(box: str, expected: list[str]) -> None:
    found = completions(box, len(box), KNOWN)
    assert [completion.text for completion in found] == expected


def test_a_completion_replaces_what_was_begun() -> None:
    box = 'a repo:"my t and more'
    (found,) = completions(box, len('a repo:"my t'), KNOWN)
    assert found == Completion(len("a repo:"), len('a repo:"my t'), '"my tools"')
    assert box[: found.start] + found.text + box[found.end :] == 'a repo:"my tools" and more'

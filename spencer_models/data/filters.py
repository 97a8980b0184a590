"""Which documented functions make honest training pairs: the filters of CodeSearchNet, and duplicate keys."""

from __future__ import annotations

import re

MIN_QUERY_WORDS = 3
MAX_QUERY_WORDS = 256
MIN_CODE_LINES = 3

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'(])|(?<=[.!?])$")
_MARKUP = re.compile(r":[a-z:]+:`~?([^`]*)`|``([^`]*)``|`([^`]*)`|\{@\w+\s+([^}]*)\}|<[^>]{1,40}>|\*\*")
_SPACE = re.compile(r"\s+")
_SECTION = re.compile(
    r"^\s*(args?|arguments|parameters?|params?|returns?|raises|yields|examples?|notes?)\s*:?\s*$", re.I
)
_BOILERPLATE = re.compile(
    r"^(todo|fixme|xxx|deprecated|see |see also|refer to|same as|like |alias|internal|private|override|overrides|"
    r"inherited|copied from|adapted from|auto-?generated|this is a copy|initialize self|helper for|usage|example|"
    r"args|parameters|returns?$|return:|>>>|:param|@|-+$|=+$|https?:)",
    re.I,
)
_TEST_PATH = re.compile(
    r"(^|/)(tests?|testing|conftest|idlelib|lib2to3|examples?|benchmarks?)(/|$|\.py$)|(^|/)test_|_test\."
)
_VENDORED_PATH = re.compile(r"(^|/)(_?vendor(ed)?|externals?|third_party|extern|_distutils)(/|$)")
_LITERAL = re.compile(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
_COMMENT = re.compile(r"#[^\n]*|//[^\n]*|/\*[\s\S]*?\*/")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W_]+")

_COMMON_WORDS = frozenset(
    "a an and are as at be by for from given has if in into is it not of on one or that the this to used when which "
    "whether with all any return returns get set create compute check".split()
)


def first_sentence(doc: str) -> str:
    """The first sentence of a documentation, on one line, without markup."""
    paragraph: list[str] = []
    for line in doc.strip().splitlines():
        if not line.strip() or _SECTION.match(line):
            break
        paragraph.append(line)
    text = _SPACE.sub(" ", _MARKUP.sub(lambda m: next((g for g in m.groups() if g), ""), " ".join(paragraph)))
    return _SENTENCE_END.split(text.strip(), maxsplit=1)[0].strip().rstrip(".")


def later_sentences(doc: str) -> list[str]:
    """The sentences of the paragraphs after the first that pass `query_fault`; sections and examples are left out."""
    out: list[str] = []
    for paragraph in re.split(r"\n\s*\n", doc.strip())[1:]:
        lines = paragraph.splitlines()
        if any(_SECTION.match(line) or ">>>" in line or set(line.strip()) <= set("-=~") for line in lines):
            break
        text = _SPACE.sub(" ", _MARKUP.sub(lambda m: next((g for g in m.groups() if g), ""), " ".join(lines)))
        out += [s.strip().rstrip(".") for s in _SENTENCE_END.split(text) if s.strip()]
    return [s for s in out if not query_fault(s)]


def query_fault(query: str) -> str:
    """Why a sentence is no question-like text, in words for the count; empty when it is one."""
    tokens = query.split()
    if len(tokens) < MIN_QUERY_WORDS:
        return "documentation too short"
    if len(tokens) > MAX_QUERY_WORDS:
        return "documentation too long"
    if _BOILERPLATE.match(query):
        return "boilerplate documentation"
    if not query.isascii() or sum(c.isalpha() or c.isspace() for c in query) < 0.75 * len(query):
        return "documentation not English"
    if not _COMMON_WORDS.intersection(t.lower().strip(",.") for t in tokens):
        return "documentation not English"
    return ""


def function_fault(name: str, bare: str) -> str:
    """Why a function is left out, in words for the count; empty when it may stay."""
    if name.startswith("__") and name.endswith("__"):
        return "dunder method"
    if name.lower().startswith("test") or name.lower().endswith("test"):
        return "test"
    if sum(1 for line in bare.splitlines() if line.strip()) < MIN_CODE_LINES:
        return "body too short"
    return ""


def path_fault(path: str) -> str:
    """Why a whole file is left out, from its path relative to its package; empty when it may stay."""
    if _TEST_PATH.search(path):
        return "test file"
    if _VENDORED_PATH.search(path):
        return "vendored file"
    return ""


def query_key(query: str) -> str:
    """Equal for questions that differ only in case, punctuation and spacing."""
    return " ".join(_WORD.findall(query.lower()))


def code_key(code: str) -> str:
    """Equal for near-duplicates: literals, comments, numbers, case and layout do not count."""
    plain = _COMMENT.sub(" ", _LITERAL.sub(" ", code))
    return " ".join(_WORD.findall(_NUMBER.sub("0", plain).lower()))

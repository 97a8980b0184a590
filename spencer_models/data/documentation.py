"""What a documentation comment says in plain sentences, whichever style it is written in.

Javadoc, JSDoc, PHPDoc, Doxygen, C# XML, rustdoc, godoc, RDoc, YARD, and the docstrings of reST, Google and NumPy: tags,
sections, examples and markup go; the sentences that describe the function stay.
"""

from __future__ import annotations

import html
import re

from spencer_desktop.core.types import Chunk

# A note to a tool, not to a reader.
_DIRECTIVE = re.compile(
    r"^\s*(?:eslint|tslint|jshint|jslint|jscs|istanbul|c8 ignore|prettier|biome|ts-(?:ignore|expect|nocheck)|\$?flow\b"
    r"|noinspection|suppress|nolint|lint:|go:|\+build|export |cgo\b|rubocop|frozen_string_literal|encoding:|coding[:=]"
    r"|pylint|flake8|noqa|type: ignore|mypy:|pyre|pyright|pytype|fmt:|pragma|phpcs|phpstan|psalm|codecov|clang-"
    r"|cppcheck|#?(?:end)?region\b|<editor-fold|webpack|globals?\s+\w+\s*[:,]|ReSharper|StyleCop|SPDX-|:nodoc:"
    r"|:stopdoc:|:startdoc:|typed:|sourcery"
    r"|@(?:ts-|formatter|codeCoverage|psalm|phpstan)|@(?:internal|private|protected|public|static|hidden|api|final)\b"
    # Ruby's inline types: `: (String) -> void`.
    r"|:[ ]*(?:\(.*\)|\[.*\])?[ ]*(?:\{.*\}[ ]*)?->)",
    re.IGNORECASE,
)
# What follows such a tag is the description itself.
_DESCRIPTION = re.compile(r"^\s*[@\\](?:description|desc|summary|brief|short|details)\b[ \t]*", re.IGNORECASE)
_TAG = re.compile(r"^\s*(?:[@\\][A-Za-z]|:(?:param|type|returns?|rtype|raises?|keyword|arg|var|yields?)\b)")
_SECTION = re.compile(
    r"^\s*(?:[#=*]*\s*(?:args?|arguments|options|attributes|(?:other )?parameters?|params?|returns?|return values?"
    r"|raises|throws|yields|warns|see also|references|examples?|usage|notes?|panics?|errors?|safety|complexity"
    r"|overloads?)\s*[:=*]*|#{1,6}\s.*|={2,}\s.*|\.\.\s+\w+.*|>>>.*|.*\bfor example:+|e\.g\.:|\+{3,}.*|inputs?:"
    r"|outputs?:)\s*$",
    re.IGNORECASE,
)
_BLOCK = re.compile(
    r"<pre\b[\s\S]*?(?:</pre>|\Z)|```[\s\S]*?(?:```|\Z)|<(?:table|ul|ol|dl)\b[\s\S]*?(?:</(?:table|ul|ol|dl)>|\Z)",
    re.IGNORECASE,
)
_BREAK = re.compile(r"</?(?:p|br|hr|li|h[1-6]|div|blockquote|para|remarks|summary|value)\b[^<>]{0,100}>", re.IGNORECASE)
_LIST_ITEM = re.compile(r"^\s*(?:[-*•]\s|\(?\d{1,2}[.)]\s)")
_CALL_SEQUENCE = re.compile(r"^\s*(?::?call-seq:|[\w.]+\(.*\)\s*(?:->.*)?$)")
# TomDoc: who may call it, and `name - what the argument is`.
_AUDIENCE = re.compile(r"^\s*(?:Public|Private|Internal|Deprecated):\s+")
_ARGUMENT = re.compile(r"^\s*\w+\s+- ")

_ADDRESS = re.compile(r"[ \t]*(?:\(https?://[^\s()]*\)|<https?://[^\s<>]*>)")
_LINK = re.compile(r"(?<![\w\]])\[([A-Za-z`][^\[\]]*)\](?:\([^()\s]*\)|\[[^\[\]]*\])?")
_INLINE_TAG = re.compile(r"\{@(\w+)(?:\s+((?:[^{}]|\{[^{}]*\})*))?\}")
_MARKUP = re.compile(
    r":[a-z:]+:`~?([^`]*)`|``([^`]*)``|`([^`]*)`"
    r"|</?(?:a|abbr|b|big|br|c|cite|code|em|font|i|kbd|s|small|span|strong|sub|sup|tt|u|var)\b[^<>]{0,200}>|\*\*"
)
_RUBY_MARKUP = re.compile(r"\{([A-Z][\w:.#?!]*)(?:\s+([^{}]*))?\}|\+([\w:.#?!\[\]]+)\+")
_TARGET_AND_LABEL = re.compile(r"(?:[^\s(|]+(?:\([^)]*\))?)(?:\s+|\|)(.+)", re.DOTALL)
_XML_REFERENCE = re.compile(
    r"<(?:see|seealso|paramref|typeparamref)\s+\w+=\"(?:[A-Z]:)?([^\"]*)\"\s*(?:/>|>([^<]*)</\w+>)"
)
_XML_GENERIC = re.compile(r"\{[^{}]*\}|``?\d+")
_XML_TEXT = re.compile(r"<(summary|remarks)>([\s\S]*?)</\1>")
_XML_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_XML_PARAGRAPH = re.compile(r"</?(?:para|list|item|description|code|example)\b[^<>]*>")
_XML_COMMENT = re.compile(r"^[ \t]*(?:///?|/\*\*?|\*/?)[ \t]?", re.MULTILINE)

_TYPOGRAPHY = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-", "…": "...", "\u00a0": " "}
    | dict.fromkeys(("\u200b", "\ufeff"), "")
)
_SPACE = re.compile(r"\s+")
_SENTENCE_END = re.compile(r"(?<!e\.g\.)(?<!i\.e\.)(?<!\bvs\.)(?<=[.!?])\s+(?=[A-Z`\"'(])")
_EDGES = " \t-=*#~_/:"


def documentation(chunk: Chunk) -> str:
    """The documentation of a function without the marks of its comment; of C#, the summary and the remarks."""
    if chunk.language != "csharp" or chunk.doc_span is None:
        return chunk.doc
    raw = _XML_COMMENT.sub("", chunk.text[slice(*chunk.doc_span)])
    if not _XML_TAG.search(raw):
        return chunk.doc
    raw = _XML_REFERENCE.sub(lambda m: m[2] or _XML_GENERIC.sub("", m[1].partition("(")[0]), raw)
    parts = (_XML_PARAGRAPH.sub("\n\n", m[2]) for m in _XML_TEXT.finditer(raw))
    return "\n\n".join(html.unescape(_XML_TAG.sub("", part)).strip() for part in parts)


def without_span(text: str, span: tuple[int, int] | None) -> str:
    """`text` without the lines of its documentation, which stands at `span`."""
    return text if span is None else text[: span[0]].rstrip(" \t") + text[span[1] :].lstrip(" \t").removeprefix("\n")


def sentences(doc: str, symbol: str, language: str) -> list[str]:
    """What the documentation of `symbol` says, first sentence first, each on one line, without markup and full stop.

    Empty when it describes nothing: no text, tags alone, or inherited.
    """
    name = symbol.rpartition(".")[2]
    found: list[str] = []
    for paragraph in _paragraphs(doc):
        text = _plain(paragraph, language)
        found += [s for part in _SENTENCE_END.split(text) if (s := part.strip(_EDGES).rstrip("."))]
    if found:
        found[0] = _without_name(found[0], name)
    return found


def _paragraphs(doc: str) -> list[str]:
    """The running text of a documentation, down to its first section, tag or example."""
    doc = _BREAK.sub("\n\n", _BLOCK.sub("\n\n", doc.strip()))
    lines = [line for line in doc.splitlines() if not _DIRECTIVE.match(line)]
    described = next((number for number, line in enumerate(lines) if _DESCRIPTION.match(line)), None)
    if described is not None:
        lines = [_DESCRIPTION.sub("", lines[described]), *lines[described + 1 :]]
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if _TAG.match(line) or _SECTION.match(line):
            break
        if not line.strip() or _LIST_ITEM.match(line):
            paragraphs.append([])
        if line.strip():
            paragraphs[-1].append(line)
    prose = [p for p in paragraphs if p and _is_prose(p)]
    return ["\n".join(p) for number, p in enumerate(prose) if number == 0 or not _ARGUMENT.match(p[0])]


def _is_prose(paragraph: list[str]) -> bool:
    indented = all(line.startswith(("    ", "\t")) for line in paragraph)
    return not (indented or _CALL_SEQUENCE.match(paragraph[0]) or _LIST_ITEM.match(paragraph[0]))


def _plain(paragraph: str, language: str) -> str:
    """A paragraph on one line, without the markup of any style."""
    text = _ADDRESS.sub("", _INLINE_TAG.sub(_inline_tag, _AUDIENCE.sub("", paragraph)))
    text = _LINK.sub(r"\1", text)
    if language == "ruby":
        text = _RUBY_MARKUP.sub(lambda m: m[3] or m[2] or m[1], text)
    text = _MARKUP.sub(lambda m: next((g for g in m.groups() if g), ""), text)
    return _SPACE.sub(" ", html.unescape(text).translate(_TYPOGRAPHY)).strip()


def _inline_tag(match: re.Match[str]) -> str:
    """`{@code x}` → x; `{@link Shop#open(int) label}` → label; `{@link Shop#open(int)}` → Shop.open."""
    kind, content = match[1].lower(), match[2] or ""
    if not kind.startswith("link") and kind != "see":
        return content
    labelled = _TARGET_AND_LABEL.fullmatch(content.strip())
    return labelled[1] if labelled else content.strip().partition("(")[0].replace("#", ".").lstrip(".")


def _without_name(sentence: str, name: str) -> str:
    """The sentence without the function's own name before it: the question must not hold the answer.

    `Parse reads a tree` → reads a tree; `parse() - read a tree` → read a tree.
    """
    if not name:
        return sentence
    named = re.escape(name)
    return re.sub(rf"^{named}(?:\(\))?(?:\s*[-:]+\s+|\s+(?!is\b|was\b|has\b|does\b)(?=[a-z]+s\b))", "", sentence)

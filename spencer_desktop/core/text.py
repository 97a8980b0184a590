"""How a question and a chunk become model input. Training imports this module, so both sides read the same text."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

# A model reads a few hundred tokens; what follows cannot change its answer but would cost tokenizer time.
MAX_QUERY_CHARS = 4_000
MAX_CODE_CHARS = 8_000

_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_IDENTIFIER = re.compile(r"[^\W_]+(?:_+[^\W_]+)*", re.UNICODE)
_SPACE = re.compile(r"\s+")
_VOWELS = frozenset("aeiouy")
_SUFFIXES = sorted(
    "s es ed e ing ings er ers or ors y ies ied ion ions able ment ments ness ity ance ence ly"
    " ate ates ated ating ation ations ator ators ize izes ized izing ization izer izers".split(),
    key=len,
    reverse=True,
)


def query_text(query: str) -> str:
    """The question on one line, cut to what a model can read.

    Lone surrogates, with which Python hands on the bytes of an argument that are no text, become "?": no tokenizer
    takes them.
    """
    text = query[:MAX_QUERY_CHARS].encode("utf-8", "replace").decode("utf-8")
    return _SPACE.sub(" ", text).strip()


def code_header(symbol: str, code: str) -> str:
    """The first line that goes before a chunk's code: its symbol, where the code alone does not say it, or "".

    A method does not name its class, nor a window the function around it. The path is left out on purpose: a renamed or
    moved file must not need encoding again.
    """
    owner, _, name = symbol.rpartition(".")
    return f"{symbol}\n" if owner or (name and name not in code) else ""


def content_digest(header: str, text: str) -> bytes:
    """16 bytes that name one input of the code encoder."""
    data = f"{header}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).digest()


def code_text(symbol: str, code: str) -> str:
    """The chunk as the code encoder and the re-ranker read it, cut to what a model can read."""
    return (code_header(symbol, code) + code)[:MAX_CODE_CHARS]


def identifiers(text: str) -> list[str]:
    """Every word or identifier of `text` as it stands, in order, repeats included."""
    return _IDENTIFIER.findall(text)


def split_identifier(identifier: str) -> list[str]:
    """`parseHTTPResponse_v2` → ["parse", "http", "response", "v", "2"]; lower case, in order."""
    parts: list[str] = []
    for piece in identifier.split("_"):
        found = _CAMEL.findall(piece) if piece.isascii() else [piece]
        parts += [p.lower() for p in found]
    return parts


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A lower-case word without its ending: "parser", "parsing" and "parses" all give "pars".

    Porter's stemmer keeps "parser" and "parsing" apart; in code the doer and the deed are mostly the same place.
    """
    if len(word) < 5 or not word.isascii() or not word.isalpha():
        return word[:-1] if len(word) == 4 and (word[-1] == "e" or (word[-1] == "s" != word[-2])) else word
    for suffix in _SUFFIXES:
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            if len(rest) >= 3 and _VOWELS.intersection(rest) and not (suffix == "s" and rest[-1] == "s"):
                return rest[:-1] if len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
    return word


def terms(text: str) -> list[str]:
    """The words that the text index holds: each identifier's stemmed parts and, where it has several, the whole.

    Order and repeats are kept; everything is lower case.
    """
    out: list[str] = []
    for identifier in identifiers(text):
        parts = split_identifier(identifier)
        if len(parts) > 1:
            out.append(identifier.lower())
        out += map(stem, parts)
    return out

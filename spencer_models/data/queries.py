"""How else people would ask for the same function: rules that turn a sentence of documentation into questions."""

from __future__ import annotations

import re

from spencer_desktop.core.text import split_identifier
from spencer_models.data.corpus import Pair, text_number

_THIRD_PERSON = re.compile(
    r"^(return|get|set|create|compute|check|convert|find|load|save|read|write|add|remove|make|"
    r"build|parse|update|print|run|call|generate|calculate|determine|test|apply|yield)s\b",
    re.I,
)
_RETURN = re.compile(r"^(return|get|yield)\b\s*", re.I)
_CONDITION = re.compile(r"^(?:return(?:s)? (?:true|1) (?:if|when)|whether|check(?:s)? (?:if|whether|that))\s+", re.I)
_STOP = frozenset(
    "a an the this that these of is are be been was were its it their given specified provided which if when whether "
    "will should can may also such some any current".split()
)
_SPOKEN = {"csharp": "c#", "cpp": "c++", "go": "golang", "bash": "bash script"}
# Prime to 8 and to 6: the next turn has another way, and names the language or not as chance has it.
_STRIDE = 7919
_IMPERATIVE = re.compile(r"^[a-z]+$")


def terse(sentence: str) -> str:
    """The sentence as typed into a search box: no articles, no fillers, lower case."""
    kept = [w for w in re.split(r"[^\w']+", sentence) if w and w.lower() not in _STOP]
    return " ".join(kept).lower()


def keywords(sentence: str, number: int) -> str:
    """Two thirds of the words of the terse form, in their order; `number` says which."""
    words = terse(sentence).split()
    kept = [word for place, word in enumerate(words) if (number + place) % 3]
    return " ".join(kept if len(kept) > 1 else words)


def question(sentence: str) -> str:
    """The sentence as a question; the sentence itself where no rule fits."""
    text = sentence.strip()
    condition = _CONDITION.match(text)
    if condition:
        return f"how to check if {text[condition.end() :]}"
    base = _THIRD_PERSON.sub(lambda m: m.group(1).lower(), text)
    first, _, rest = base.partition(" ")
    if not rest or not _IMPERATIVE.match(first.lower()) or first.lower() in _STOP:
        return text
    if _RETURN.match(base):
        return f"how to get {_RETURN.sub('', base)}"
    return f"how to {first.lower()} {rest}" if _THIRD_PERSON.match(text) or first.lower() == first else text


def symbol_words(symbol: str) -> str:
    """`HTTPServer.parse_request` → "http server parse request"; dunders and private marks are dropped."""
    return " ".join(part for name in symbol.split(".") for part in split_identifier(name.strip("_")) if part)


def variants(sentence: str, symbol: str) -> tuple[str, ...]:
    """The distinct ways of asking for one function, the sentence first."""
    name = symbol_words(symbol)
    candidates = [sentence, terse(sentence), question(sentence)] + ([name] if len(name.split()) > 1 else [])
    return tuple(dict.fromkeys(c for c in candidates if c))


def training_query(pair: Pair, turn: int = 0) -> str:
    """One of the ways of asking for a pair, in each turn another one: most often the sentence, seldom the name.

    One in six names the language, too.
    """
    number = text_number(pair.code) + turn * _STRIDE
    ways = variants(pair.query, pair.symbol)
    kind = number % 8
    way = ways[0] if kind < 3 else ways[min(len(ways) - 1, (1, 1, 2, 2, 3)[kind - 3])]
    if kind == 4:
        way = keywords(pair.query, number // 1000) or way
    return way if number // 8 % 6 else with_language(way, pair.language, number // 48)


def with_language(way: str, language: str, number: int) -> str:
    """The question with its programming language named, as people do who are used to ask the whole internet.

    `number` says where; a question that names it already, or has none, is left as it is.
    """
    spoken = _SPOKEN.get(language, language)
    names = {language, *spoken.split()}
    if not spoken or not names.isdisjoint(re.findall(r"[\w+#]+", way.lower())):
        return way
    bare = way.rstrip(" .?")
    return (f"{spoken} {way}", f"{bare} {spoken}", f"{bare} in {spoken}")[number % 3]

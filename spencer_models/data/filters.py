"""Which documented functions make honest training pairs: the filters of CodeSearchNet, in each language's own terms."""

from __future__ import annotations

import re

from spencer_desktop.core.text import split_identifier, stem

MIN_QUERY_WORDS = 3
MAX_QUERY_WORDS = 256
MIN_CODE_LINES = 3

TEST_FILE = "test file"
VENDORED_FILE = "vendored file"

_BOILERPLATE = re.compile(
    r"^(todo\b|fixme|xxx|hack|deprecated|see |see also|refer to|same as|like |alias|(internal|private)\b(?! key)"
    r"|overrid|inherited|inherits|\{?@inherit|inheritdoc|copied from|adapted from|copyright|licen[cs]ed? |spdx"
    r"|auto-?generated|automatically generated|generated |this is a copy|initialize self|helper for|usage|example"
    r"|\(?non-javadoc|(the )?(default|no-arg\w*|private|protected|public|static|explicit) (c'?tor|constructor)"
    r"|constructor|destructor|not implemented|unused|created by|authors?\b|module dependencies|args|parameters"
    r"|returns?$|return:|>>>|:param|note:|warning:|[@\\]\w|https?:|#)",
    re.IGNORECASE,
)
# Commented-out code, as no sentence reads.
_CODE = re.compile(
    r"[;{}]$|^(?:if|for|while|return|let|const|var|int|public)\b.*[({=;].*[)};]$|^[\w.$\[\]]+ ?:{0,2}= ?\S|=>|\) \{"
)

_VENDORED_PATH = re.compile(
    r"(^|/)(_?vendor(ed)?|externals?|third[-_]?party|3rdparty|extern|_distutils|node_modules|dist|site-packages"
    r"|dist-packages|generated|gen|autogen|\.pc)(/|$)",
    re.IGNORECASE,
)
_TEST_FOLDER = re.compile(
    r"(^|/)(tests?|testing|testdata|test[-_]?(utils?|helpers?|support|fixtures|suites?)|__tests__|__mocks__|mocks?|"
    r"fixtures?|idlelib|lib2to3|examples?|samples?|demos?|bench(es|marks?)?|e2e|[\w.-]+[._-](unit)?tests?|(?-i:\w+Tests))/",
    re.IGNORECASE,
)
_C_FAMILY_TEST = r"(^|/)test_|_(unit)?tests?\.|[a-z]Tests?\."
_SCRIPT_TEST = r"\.(test|spec|cy|e2e|stories|bench)\.|(^|/)specs?/"
_TEST_NAME = {
    "python": re.compile(r"(^|/)(test_\w*|\w*_tests?|tests?|conftest)\.py$"),
    "java": re.compile(r"(^|/)Test[A-Z]\w*\.java$|(Tests?|TestCase|[a-z0-9]IT|Benchmark)\.java$"),
    "javascript": re.compile(_SCRIPT_TEST),
    "typescript": re.compile(_SCRIPT_TEST),
    "tsx": re.compile(_SCRIPT_TEST),
    "go": re.compile(r"_test\.go$|(^|/)mock_|_mock\.go$"),
    "rust": re.compile(r"(^|/)(\w+_)?tests?\.rs$"),
    "csharp": re.compile(r"(Tests?|TestCase|Specs?|Benchmarks?)\.cs$"),
    "php": re.compile(r"(Test|TestCase|Cest|Spec)\.php$"),
    "ruby": re.compile(r"_(spec|test)\.rb$|(^|/)test_\w+\.rb$|(^|/)(specs?|features)/"),
    "c": re.compile(_C_FAMILY_TEST),
    "cpp": re.compile(_C_FAMILY_TEST),
}
MINED_LANGUAGES = tuple(_TEST_NAME)

_CONSTRUCTORS = {
    "javascript": {"constructor"},
    "typescript": {"constructor"},
    "tsx": {"constructor"},
    "php": {"__construct", "__destruct"},
    "python": {"__init__", "__new__", "__del__"},
    "ruby": {"initialize"},
}
# Named after their class.
_CLASS_CONSTRUCTORS = frozenset({"java", "csharp", "cpp", "php"})
# What every type may define: its documentation says nothing that its name does not.
_STANDARD_METHODS = {
    "java": "toString hashCode equals clone finalize compareTo",
    "csharp": "ToString GetHashCode Equals CompareTo Dispose Finalize",
    "javascript": "toString toLocaleString valueOf toJSON",
    "typescript": "toString toLocaleString valueOf toJSON",
    "tsx": "toString toLocaleString valueOf toJSON",
    "go": "String GoString Error Len Less Swap",
    "rust": "fmt clone eq ne hash drop default cmp partial_cmp",
    "ruby": "to_s inspect hash eql? == <=> initialize_copy initialize_dup method_missing respond_to_missing? coerce",
}
_STANDARD = {language: frozenset(names.split()) for language, names in _STANDARD_METHODS.items()}
_OPERATOR = re.compile(r"operator\b")
_MAGIC = {"python": re.compile(r"__\w+__$"), "php": re.compile(r"__\w+"), "cpp": _OPERATOR, "csharp": _OPERATOR}

_DECORATOR = re.compile(r"\s*(?:@\w|#!?\[|\[\w.*\]\s*$)")

_COMMON_WORDS = (
    "a an and are as at be been by can do does for from given has have if in into is it its no not of off on one "
    "only or out over so than that the their them then there this to under up when where which while will with "
    "without whether all any each every some add allocate append apply ask attach build calculate call change check "
    "clear close collect compare compute connect convert copy count create decode define delete detect determine "
    "disable display draw emit enable encode ensure execute export extract fetch fill find flush format free "
    "generate get handle import initialize insert install invoke iterate join list load lock log make map merge "
    "move normalize notify obtain open output parse perform print process provide push query read receive register "
    "release remove rename render replace request reset resolve retrieve return reverse rotate run save scan search "
    "select send serialize set show skip sort split start stop store strip subtract swap switch sync test toggle "
    "transform translate trim try unlock update use validate verify wait wrap write applies copies tries used"
)
_COMMON_STEMS = frozenset(map(stem, _COMMON_WORDS.split()))


def query_fault(query: str) -> str:
    """Why a sentence is no question-like text, in words for the count; empty when it is one."""
    tokens = query.split()
    if len(tokens) < MIN_QUERY_WORDS:
        return "documentation too short"
    if len(tokens) > MAX_QUERY_WORDS:
        return "documentation too long"
    if _BOILERPLATE.match(query):
        return "boilerplate documentation"
    if _CODE.search(query):
        return "documentation is code"
    if not query.isascii() or sum(c.isalpha() or c.isspace() for c in query) < 0.75 * len(query):
        return "documentation not English"
    if _COMMON_STEMS.isdisjoint(stem(t.lower().strip(",.:;()")) for t in tokens):
        return "documentation not English"
    return ""


def function_fault(symbol: str, bare: str, language: str) -> str:
    """Why a function is left out, in words for the count; empty when it may stay."""
    owner, _, name = symbol.rpartition(".")
    if _is_constructor(owner.rpartition(".")[2], name, language):
        return "constructor"
    if name in _STANDARD.get(language, ()) or (language in _MAGIC and _MAGIC[language].match(name)):
        return "standard method"
    if any(_is_test(part) for part in symbol.split(".")):
        return "test"
    if _telling_lines(bare) < MIN_CODE_LINES:
        return "body too short"
    return ""


def _telling_lines(code: str) -> int:
    """How many lines say something: brackets and decorators alone do not."""
    return sum(1 for line in code.splitlines() if any(map(str.isalnum, line)) and not _DECORATOR.match(line))


def _is_constructor(owner: str, name: str, language: str) -> bool:
    named_after_class = language in _CLASS_CONSTRUCTORS and name.lstrip("~") == owner != ""
    return named_after_class or name in _CONSTRUCTORS.get(language, ())


def _is_test(name: str) -> bool:
    words = split_identifier(name)
    return bool(words) and not {"test", "tests"}.isdisjoint({words[0], words[-1]})


def path_fault(path: str, language: str) -> str:
    """Why a whole file is left out, from its path relative to its package; empty when it may stay."""
    if _TEST_FOLDER.search(path) or _TEST_NAME[language].search(path):
        return TEST_FILE
    return VENDORED_FILE if _VENDORED_PATH.search(path) else ""

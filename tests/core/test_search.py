"""Answering a question: the stages and when they stop, what each mode reads, filters, and what is said about gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spencer_desktop.core import search as search_module
from spencer_desktop.core.catalog import Catalog
from spencer_desktop.core.chunking import chunk_file
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.index import Index
from spencer_desktop.core.pack import ConfidenceCurve
from spencer_desktop.core.rows import Repository
from spencer_desktop.core.search import Searcher
from spencer_desktop.core.types import Evidence, Filters, Floats, Hit, Mode, Query, SearchUpdate, Stage
from tests.core.material import add_repository, chunk, encode_pending, open_index, patch, put
from tests.fakes import FakeEncoder, FakeModels, FakeReranker

LONG_FUNCTION = '"""Helpers for whoever walks over trees."""\n\n\ndef walk(node):\n'
LONG_FUNCTION += "".join(f"    visit_{n}(node)\n" for n in range(300))
SOURCES = {
    "app/session.py": 'class Session:\n    """Keeps a connection open."""\n\n    def connect(self, host):\n'
    '        """Open a connection to a server."""\n        self.socket = dial(host)\n',
    "app/dates.py": 'def parse_date(text):\n    """Read a date such as 2024-05-01."""\n    return text.split("-")\n',
    "lib/queue.go": "package queue\n\nfunc (q *Queue) Push(item string) {\n\tq.items = append(q.items, item)\n}\n",
    "docs/guide.md": "# Guide\n\nHow to open a connection and read a date.\n",
    "app/walker.py": LONG_FUNCTION,
}
LANGUAGES = {"py": "python", "go": "go", "md": "markdown"}


def put_sources(index: Index, sources: dict[str, str], root: str = "/r") -> None:
    repository = add_repository(index, root)
    for path, source in sources.items():
        language = LANGUAGES[path.rpartition(".")[2]]
        put(index, repository, patch(path, *chunk_file(path, language, source), language=language))
    encode_pending(index, FakeEncoder())


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with open_index(tmp_path / "data") as index:
        put_sources(index, SOURCES)
        yield index


def searcher(index: Index, models: FakeModels | None = None, candidates: int = 10) -> Searcher:
    return Searcher(index, models or FakeModels(), candidates=candidates)


def answer(index: Index, text: str, **options: object) -> tuple[Hit, ...]:
    """The last state of the answer."""
    updates = list(searcher(index).search(Query(text, **options)))  # type: ignore[arg-type]
    return updates[-1].hits


def paths(hits: Sequence[Hit]) -> list[str]:
    return [hit.path for hit in hits]


def repository_r(index: Index) -> Repository:
    return next(r for r in index.catalog.repositories() if r.name == "r")


def many(index: Index, count: int = 30) -> None:
    """Files "many/0.py" … that answer "paint" ever less: the later, the more other words."""
    repository = repository_r(index)
    texts = ["paint " + " ".join(f"w{n}x{m}" for m in range(n)) for n in range(count)]
    put(index, repository, *(patch(f"many/{n}.py", text) for n, text in enumerate(texts)))
    encode_pending(index, FakeEncoder())


# What an answer holds


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.SEMANTIC, Mode.LEXICAL])
@pytest.mark.parametrize(
    ("question", "path", "symbol"),
    [
        ("parse a date", "app/dates.py", "parse_date"),
        ("Session.connect", "app/session.py", "Session.connect"),
        ("push an item to the queue", "lib/queue.go", "Queue.Push"),
    ],
)
def test_every_mode_finds_what_is_asked_for(index: Index, mode: Mode, question: str, path: str, symbol: str) -> None:
    best = answer(index, question, mode=mode)[0]
    assert (best.path, best.symbol, best.root, best.repository) == (path, symbol, "/r", "r")


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.SEMANTIC, Mode.LEXICAL])
def test_a_definition_is_found_however_many_speak_of_it(index: Index, mode: Mode) -> None:
    repository = repository_r(index)
    spoken = "def paint_{0}(gadget):\n    return Gadget(gadget).gadget(Gadget, gadget)\n"
    put(
        index, repository, *(patch(f"many/{n}.py", *chunk_file("a.py", "python", spoken.format(n))) for n in range(300))
    )
    # Long, so that the text index ranks it last, and in a file that most often does no more than to export again.
    lines = "".join(f"    field_{n}: int\n" for n in range(60))
    defined = chunk_file("a.py", "python", f"class Gadget:\n{lines}\n\nclass gadget:\n{lines}")
    put(index, repository, patch("pkg/__init__.py", *defined))
    encode_pending(index, FakeEncoder())
    best = answer(index, "Gadget", mode=mode)[0]
    assert (best.path, best.symbol) == ("pkg/__init__.py", "Gadget")
    assert answer(index, "pkg.Gadget", mode=mode)[0].symbol == "Gadget"
    assert answer(index, "where does Gadget::new come from", mode=mode)
    # A filter narrows definitions, too.
    assert {h.path for h in answer(index, "Gadget", mode=mode, filters=Filters(path_globs=("many/",)))} <= {
        f"many/{n}.py" for n in range(300)
    }


def test_a_hit_says_where_and_what(index: Index) -> None:
    (best,) = answer(index, "parse_date", limit=1)
    row = index.catalog.chunk_rows(np.array([best.chunk_id], np.int64))[best.chunk_id]
    assert (best.start_line, best.end_line, best.kind, best.language) == (1, 3, "function", "python")
    assert (best.snippet, best.signature) == (row.text, row.signature)
    assert best.signature.startswith("def parse_date")


@pytest.mark.parametrize("rerank", [False, True])
def test_scores_fall_and_no_place_is_named_twice(index: Index, rerank: bool) -> None:
    many(index)
    models = FakeModels(FakeReranker("w20x3"))
    for update in searcher(index, models).search(Query("paint a date", limit=50, rerank=rerank)):
        assert len({(h.path, h.start_line, h.end_line) for h in update.hits}) == len(update.hits) > 20
        scores = [h.score for h in update.hits]
        assert scores == sorted(scores, reverse=True)


def test_a_long_function_is_one_hit_with_all_its_lines(index: Index) -> None:
    pieces = [r for r in index.catalog.chunks_at(Path("/r"), "app/walker.py") if r.symbol == "walk"]
    assert len(pieces) > 2
    for question in ("walk", "visit_3 visit_140 visit_290", "visit_299"):
        hits = [h for h in answer(index, question, limit=50) if h.symbol == "walk"]
        assert [(h.start_line, h.end_line) for h in hits] == [(4, 304)], question
    assert "visit_299" in next(h for h in answer(index, "visit_299", mode=Mode.LEXICAL) if h.symbol == "walk").snippet


def test_the_same_code_in_two_places_is_two_hits(index: Index) -> None:
    put_sources(index, {"copy/dates.py": SOURCES["app/dates.py"]}, "/clone")
    hits = [h for h in answer(index, "parse_date") if h.symbol == "parse_date"]
    assert sorted((h.repository, h.path) for h in hits) == [("clone", "copy/dates.py"), ("r", "app/dates.py")]


def test_a_folder_that_is_registered_twice_answers_once(index: Index) -> None:
    put_sources(index, {"dates.py": SOURCES["app/dates.py"]}, "/r/app")
    assert [h.symbol for h in answer(index, "parse_date")].count("parse_date") == 1


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.SEMANTIC, Mode.LEXICAL])
def test_as_many_as_asked_for(index: Index, mode: Mode) -> None:
    many(index)
    for limit in (1, 7, 25):
        assert len(answer(index, "paint", limit=limit, mode=mode)) == limit


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.LEXICAL, Mode.REGEX])
def test_an_empty_index_has_no_answer(tmp_path: Path, mode: Mode) -> None:
    with open_index(tmp_path) as empty:
        models = FakeModels(FakeReranker("x"))
        assert {u.hits for u in searcher(empty, models).search(Query("anything", mode=mode, rerank=True))} == {()}


def test_a_word_that_is_everywhere_costs_no_more_than_it_tells(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    many(index)
    put(index, repository_r(index), patch("rare.py", "paint zebra"), patch("named.py", chunk("x", symbol="paint")))
    monkeypatch.setattr(search_module, "_MAX_POSTINGS", 10)
    assert paths(answer(index, "paint a zebra", mode=Mode.LEXICAL, limit=50)) == ["rare.py"]
    assert paths(answer(index, "paint", mode=Mode.LEXICAL, limit=50)) == ["named.py"]


# What each mode reads


class NoTextIndex(Catalog):
    def match(self, *_: object) -> list[tuple[int, float]]:
        pytest.fail("the text index was asked")


def test_lexical_mode_never_loads_a_model(index: Index) -> None:
    class NoModels:
        @property
        def query_encoder(self) -> FakeEncoder:
            pytest.fail("an encoder was loaded")

        code_encoder = query_encoder
        reranker = None

    without = Searcher(index, NoModels(), candidates=5)
    (found,) = without.search(Query("parse a date", mode=Mode.LEXICAL))
    assert found.hits[0].symbol == "parse_date"
    (found,) = without.search(Query("da.e", mode=Mode.REGEX))
    assert found.hits


def test_semantic_mode_never_asks_the_text_index(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Catalog, "match", NoTextIndex.match)
    assert answer(index, "parse a date", mode=Mode.SEMANTIC)[0].symbol == "parse_date"


def test_a_question_is_encoded_once(index: Index) -> None:
    models = FakeModels(FakeReranker("date"))
    list(searcher(index, models).search(Query("  parse \n a date ", rerank=True)))
    assert models.query_encoder.encoded == ["parse a date"]
    assert models.code_encoder.encoded == []


def test_semantic_mode_finds_what_shares_no_word_with_the_text_index(index: Index) -> None:
    """What is encoded is the header too: the class of a method that does not name it."""
    assert answer(index, "Session", mode=Mode.SEMANTIC)[0].path == "app/session.py"


@pytest.mark.parametrize("question", ["->", "!=", " () "])
def test_punctuation_alone_is_looked_for_as_it_stands(index: Index, question: str) -> None:
    put(index, repository_r(index), patch("a.c", f"one\nif {question.strip()} two"), patch("b.c", "none"))
    (update,) = searcher(index).search(Query(question, rerank=True))
    assert [(h.path, h.start_line, h.end_line) for h in update.hits if h.path != "lib/queue.go"] == [("a.c", 2, 2)]
    assert update.stage is Stage.RECALL


def test_regex_mode_reads_the_pattern_as_it_was_typed(index: Index) -> None:
    hits = answer(index, r"def  *parse_\w+\(", mode=Mode.REGEX)
    assert [(h.path, h.start_line, h.end_line, h.snippet) for h in hits] == [
        ("app/dates.py", 1, 1, "def parse_date(text):")
    ]
    assert len(answer(index, ".", mode=Mode.REGEX, limit=4)) == 4


# The stages


def test_recall_comes_first_and_the_reranker_reads_the_best(index: Index) -> None:
    many(index)
    reranker = FakeReranker("w9x1 ")
    recall, reranked = searcher(index, FakeModels(reranker), 12).search(Query("paint", limit=30, rerank=True))
    assert (recall.stage, reranked.stage) == (Stage.RECALL, Stage.RERANKED)
    assert reranker.read == 12
    assert sorted(paths(reranked.hits)) == sorted(paths(recall.hits))
    assert paths(reranked.hits)[12:] == paths(recall.hits)[12:]
    assert 0 < recall.elapsed_ms <= reranked.elapsed_ms


def test_every_hit_says_why_it_was_found(index: Index) -> None:
    models = FakeModels(FakeReranker("visit_7("))
    recall, reranked = searcher(index, models, 2).search(Query("open connection read date visit_7", rerank=True))
    assert [hit.evidence.place for hit in recall.hits] == [*range(1, len(recall.hits) + 1)]
    assert {hit.evidence.logit for hit in recall.hits} == {None}
    why = {hit.chunk_id: hit.evidence for hit in recall.hits}
    for number, hit in enumerate(reranked.hits):
        before = why[hit.chunk_id]
        assert hit.evidence == replace(before, logit=hit.evidence.logit)
        assert (hit.evidence.logit is None) == (number >= 2)
        assert before.cosine is not None
        assert -1.0 <= before.cosine <= 1.0
    (lexical,) = searcher(index).search(Query("date", mode=Mode.LEXICAL))
    assert all(hit.evidence.cosine is None and hit.evidence.bm25 > 0 for hit in lexical.hits)
    assert answer(index, r"return \w+", mode=Mode.REGEX)[0].evidence == Evidence()


def test_the_reranker_lifts_what_it_prefers(index: Index) -> None:
    many(index)
    models = FakeModels(FakeReranker("w9x1 "))
    recall, reranked = searcher(index, models, 20).search(Query("paint", rerank=True, limit=30))
    before, after = (paths(u.hits).index("many/9.py") for u in (recall, reranked))
    assert after < before


def test_an_answer_is_as_sure_as_its_scores(index: Index) -> None:
    class Level(FakeReranker):
        def score(self, query: str, codes: Sequence[str]) -> Floats:
            return np.full(len(codes), 3, np.float32)

    near, read = ConfidenceCurve(3, 8.0, 2.0, -4.0), ConfidenceCurve(3, 1.0, 0.5, -4.0)
    curves = {Stage.RECALL: near, Stage.RERANKED: read}
    sure = Searcher(index, FakeModels(Level("")), candidates=3, recall_scale=2.0, confidence=curves)
    question = "how is a date parsed"
    recall, reranked = sure.search(Query(question, rerank=True))
    _, cosines = index.nearest(FakeEncoder().encode([question])[0], 3)
    assert recall.confidence == pytest.approx(near.at(cosines.tolist()))
    # All that is found, however little of it is shown.
    assert next(iter(sure.search(Query(question, limit=1)))).confidence == recall.confidence
    assert reranked.confidence is not None
    assert read.at([3.0] * 3) <= reranked.confidence <= read.at([5.0] * 3)  # type: ignore[operator]


def test_what_the_curve_was_not_fitted_on_is_not_judged(index: Index) -> None:
    curve = ConfidenceCurve(3, 8.0, 2.0, -4.0)
    curves = {Stage.RECALL: curve, Stage.RERANKED: curve}
    sure = Searcher(index, FakeModels(FakeReranker("x")), candidates=3, recall_scale=2.0, confidence=curves)
    for query in (
        Query("how is a date parsed", mode=Mode.LEXICAL, rerank=True),
        Query("parse_date", rerank=True),
        Query("a date", mode=Mode.REGEX),
        Query("how is a date parsed", filters=Filters(path_globs=("app/dates.py",)), rerank=True),
    ):
        assert [update.confidence for update in sure.search(query)] in ([None], [None, None])
    assert all(update.confidence is None for update in searcher(index).search(Query("a date")))


def test_what_the_reranker_reads_is_the_code_with_its_header(index: Index) -> None:
    class Listening(FakeReranker):
        codes: Sequence[str] = ()

        def score(self, query: str, codes: Sequence[str]) -> Floats:
            self.codes = codes
            return super().score(query, codes)

    reranker = Listening("x")
    list(searcher(index, FakeModels(reranker)).search(Query("connect to a host", rerank=True)))
    assert any(code.startswith("Session.connect\n    def connect") for code in reranker.codes)


@pytest.mark.parametrize("rerank", [False, None])
def test_without_reranking_there_is_one_stage(index: Index, rerank: bool | None) -> None:
    reranker = FakeReranker("x")
    updates = list(searcher(index, FakeModels(reranker)).search(Query("date", rerank=rerank)))
    assert [u.stage for u in updates] == [Stage.RECALL]
    assert reranker.read == 0


def test_a_pack_without_a_reranker_answers_all_the_same(index: Index) -> None:
    updates = list(searcher(index).search(Query("date", rerank=True)))
    assert [u.stage for u in updates] == [Stage.RECALL]


# Cancelling


class Cancel:
    """A question that is taken back at the n-th time of asking."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.SEMANTIC, Mode.LEXICAL, Mode.REGEX])
@pytest.mark.parametrize("after", range(6))
def test_after_cancelling_nothing_more_is_said(index: Index, mode: Mode, after: int) -> None:
    cancel = Cancel(after)
    for _ in searcher(index, FakeModels(FakeReranker("date"))).search(Query("date", mode=mode, rerank=True), cancel):
        assert cancel.left >= 0


def test_a_question_taken_back_before_it_is_answered_says_nothing(index: Index) -> None:
    assert list(searcher(index).search(Query("date"), lambda: True)) == []


def test_an_order_that_comes_too_late_is_not_said(index: Index) -> None:
    reranker = FakeReranker("date")
    updates = searcher(index, FakeModels(reranker)).search(Query("date", rerank=True), lambda: reranker.read > 0)
    assert [update.stage for update in updates] == [Stage.RECALL]
    assert reranker.read > 0


def test_the_reranker_does_not_read_for_a_question_taken_back(index: Index) -> None:
    reranker = FakeReranker("x")
    said: list[Stage] = []
    models = FakeModels(reranker)
    for update in searcher(index, models).search(Query("date", rerank=True), lambda: bool(said)):
        said.append(update.stage)
    assert said == [Stage.RECALL]
    assert reranker.read == 0


# Filters


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.SEMANTIC, Mode.LEXICAL, Mode.REGEX])
def test_a_filter_comes_before_ranking(index: Index, mode: Mode) -> None:
    """However many files answer better: those that are left fill the list."""
    put_sources(index, {f"low/{n}.md": f"{n} {'filler ' * 40} paint" for n in range(5)}, "/z")
    put(index, repository_r(index), *(patch(f"many/{n}.py", f"paint {n}") for n in range(250)))
    encode_pending(index, FakeEncoder())
    for filters in (Filters(path_globs=("low/*",)), Filters(repositories=("z",))):
        hits = answer(index, "paint", limit=5, mode=mode, filters=filters)
        assert sorted(paths(hits)) == [f"low/{n}.md" for n in range(5)]
    assert not any(path.startswith("low/") for path in paths(answer(index, "paint", limit=5, mode=mode)))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(languages=("go",)), {"lib/queue.go"}),
        (Filters(languages=("golang",)), {"lib/queue.go"}),
        (Filters(languages=("go", "markdown")), {"lib/queue.go", "docs/guide.md"}),
        (Filters(path_globs=("*.go",)), {"lib/queue.go"}),
        (Filters(path_globs=("lib/", "*.md")), {"lib/queue.go", "docs/guide.md"}),
        (Filters(path_globs=("app/**", "!app/walker.py")), {"app/session.py", "app/dates.py"}),
        (Filters(path_globs=("app/**",), languages=("go",)), set()),
        (Filters(repositories=("/r",), path_globs=("*.go",)), {"lib/queue.go"}),
        (Filters(path_globs=("nothing/*",)), set()),
        (Filters(kinds=("window",), path_globs=("docs/", "app/session.py")), {"docs/guide.md"}),
        (
            Filters(kinds=("Function", "method"), path_globs=("app/*",)),
            {"app/session.py", "app/dates.py", "app/walker.py"},
        ),
        (Filters(kinds=("method",), path_globs=("app/dates.py",)), set()),
    ],
)
@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.LEXICAL, Mode.SEMANTIC, Mode.REGEX])
def test_filters(index: Index, mode: Mode, filters: Filters, expected: set[str]) -> None:
    question = "." if mode is Mode.REGEX else "open connection read date push item visit"
    hits = answer(index, question, filters=filters, limit=100, mode=mode)
    assert set(paths(hits)) == expected


def test_an_unknown_repository(index: Index) -> None:
    with pytest.raises(UserError, match="No repository 'x' is indexed") as caught:
        answer(index, "date", filters=Filters(repositories=("x",)))
    assert caught.value.hint == "Indexed: r."


def test_an_unknown_kind(index: Index) -> None:
    with pytest.raises(UserError, match="'klass'") as caught:
        answer(index, "date", filters=Filters(kinds=("klass",)))
    assert caught.value.hint == "Known are function, method, class, window."


def test_an_unknown_language(index: Index) -> None:
    with pytest.raises(UserError, match="klingon") as caught:
        answer(index, "date", filters=Filters(languages=("klingon",)))
    assert caught.value.hint


# What cannot be asked


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_an_empty_question(index: Index, text: str, mode: Mode) -> None:
    with pytest.raises(UserError, match="The question is empty") as caught:
        answer(index, text, mode=mode)
    assert caught.value.hint


@pytest.mark.parametrize("limit", [0, -1])
def test_no_answers_asked_for(index: Index, limit: int) -> None:
    with pytest.raises(UserError, match="at least 1"):
        answer(index, "date", limit=limit)


# What the answer could not take into account


def notice(index: Index, mode: Mode = Mode.HYBRID) -> str:
    recall, reranked = searcher(index, FakeModels(FakeReranker("x"))).search(Query("date", mode=mode, rerank=True))
    assert recall.notice == reranked.notice
    return recall.notice


def test_nothing_to_say_when_all_is_encoded(index: Index) -> None:
    assert notice(index) == ""


def test_what_is_not_encoded_yet_is_found_by_text_and_said(index: Index) -> None:
    pieces = [chunk(f"piece {n}", n + 1) for n in range(1233)]
    put(index, repository_r(index), patch("new.py", "zebra"), patch("bulk.py", *pieces))
    assert notice(index) == "1,234 pieces of code are not encoded yet and are found by text only"
    (new,) = (hit for hit in answer(index, "zebra") if hit.path == "new.py")
    assert (new.evidence.cosine, new.evidence.pending) == (None, True)
    assert not any(hit.evidence.pending for hit in answer(index, "parse a date") if hit.path == "app/dates.py")
    assert not any(hit.evidence.pending for hit in answer(index, "zebra", mode=Mode.LEXICAL))


def test_vectors_of_another_pack(index: Index, tmp_path: Path) -> None:
    with open_index(tmp_path / "data", writable=False, space="other") as other:
        assert "made by another model pack" in notice(other)
        models = FakeModels()
        (update,) = searcher(other, models).search(Query("parse a date"))
        assert update.hits[0].symbol == "parse_date"
        assert models.query_encoder.encoded == []
        with pytest.raises(UserError, match="another model pack") as caught:
            answer(other, "date", mode=Mode.SEMANTIC)
        assert "spencer index" in caught.value.hint
        with pytest.raises(UserError, match="another model pack"):
            similar(other, "/r/app/dates.py", 1)
        assert "made by another" not in notice(other, Mode.LEXICAL)


# Code like this


def similar(index: Index, path: str, line: int, limit: int = 10, filters: Filters | None = None) -> SearchUpdate:
    return searcher(index).similar(Path(path), line, limit, filters or Filters())


def test_similar_finds_like_code_but_not_itself(index: Index) -> None:
    put_sources(index, {"x.py": 'def read_date(text):\n    """Read a date."""\n    return text.split("-")\n'}, "/clone")
    hits = similar(index, "/r/app/dates.py", 2).hits
    assert (hits[0].repository, hits[0].symbol) == ("clone", "read_date")
    assert ("r", "app/dates.py") not in {(h.repository, h.path) for h in hits}
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert len(similar(index, "/r/app/dates.py", 2, limit=2).hits) == 2


def test_similar_leaves_out_all_pieces_of_the_function(index: Index) -> None:
    assert "walk" not in {h.symbol for h in similar(index, "/r/app/walker.py", 80, limit=100).hits}


def test_similar_shows_a_long_function_once(index: Index) -> None:
    put_sources(index, {"x.py": "def visit(node):\n    visit_1(node)\n    visit_290(node)\n"}, "/clone")
    hits = [h for h in similar(index, "/clone/x.py", 2, limit=100).hits if h.symbol == "walk"]
    assert [(h.start_line, h.end_line) for h in hits] == [(4, 304)]


def test_similar_shows_copies_elsewhere(index: Index) -> None:
    put_sources(index, {"copy.py": SOURCES["app/dates.py"]}, "/clone")
    best = similar(index, "/r/app/dates.py", 1).hits[0]
    assert (best.repository, best.path) == ("clone", "copy.py")
    assert best.score == pytest.approx(1.0, abs=1e-2)


def test_similar_takes_the_innermost_code_at_a_line(index: Index) -> None:
    models = FakeModels()
    searcher(index, models).similar(Path("/r/app/session.py"), 5, 3, Filters())
    (encoded,) = models.code_encoder.encoded
    assert encoded.startswith("Session.connect\n")


def test_similar_heeds_filters(index: Index) -> None:
    hits = similar(index, "/r/app/dates.py", 1, filters=Filters(languages=("go",))).hits
    assert set(paths(hits)) == {"lib/queue.go"}


def test_similar_takes_a_path_relative_to_here(index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    put_sources(index, {"here.py": "def paint(): pass\n"}, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert similar(index, "here.py", 1).hits


@pytest.mark.parametrize(
    ("path", "line", "words"),
    [
        ("/r/app/dates.py", 999, "no code at line 999"),
        ("/r/app/nowhere.py", 1, "is not indexed"),
        ("/elsewhere/x.py", 1, "is not indexed"),
    ],
)
def test_similar_to_nothing(index: Index, path: str, line: int, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        similar(index, path, line)
    assert caught.value.hint

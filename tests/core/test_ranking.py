"""Order from evidence: what each signal does, alone and against the others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spencer_desktop.core.ranking import (
    Candidate,
    Weights,
    inverse_frequency,
    path_prior,
    rank,
    reranked,
    view_question,
)


def candidate(chunk_id: int, **facts: object) -> Candidate:
    """A chunk of a file of its own, with nothing that speaks for it."""
    values: dict[str, object] = {
        "file_id": chunk_id, "path": f"src/f{chunk_id}.py", "language": "python", "kind": "function", "symbol": "x",
        "unit": (chunk_id, chunk_id),
        "semantic": 0.0, "lexical": 0.0, **facts,
    }  # fmt: skip
    return Candidate(chunk_id=chunk_id, **values)  # type: ignore[arg-type]


def order(question: str, candidates: list[Candidate], weights: Weights | None = None) -> list[int]:
    ranked = rank(view_question(question), candidates, {}, weights or Weights())
    return [candidates[i].chunk_id for i, _ in ranked]


class TestViewQuestion:
    @pytest.mark.parametrize(
        "text", ["ClientSession", "parse_http", "Rails::Engine", "a.b.c", "`connect()`", "std::move"]
    )
    def test_one_identifier_is_a_symbol(self, text: str) -> None:
        assert view_question(text).is_symbol

    @pytest.mark.parametrize("text", ["parse a date", "how does ClientSession work", "a + b", "日本語 検索"])
    def test_a_sentence_is_not(self, text: str) -> None:
        assert not view_question(text).is_symbol

    def test_stop_words_carry_nothing_unless_they_are_all_there_is(self) -> None:
        assert view_question("how is the connection pooled").terms == ("connect", "pool")
        assert view_question("what is this").terms == ("what", "is", "thi")

    def test_identifiers_inside_a_sentence_are_seen_and_plain_words_are_not(self) -> None:
        assert view_question("how Rails::Engine calls load_paths and then returns").symbols == ("Engine", "load_paths")

    @given(st.text(max_size=80))
    def test_any_text_can_be_viewed(self, text: str) -> None:
        view = view_question(text)
        assert len(set(view.terms)) == len(view.terms)
        assert all(view.terms)


class TestSignals:
    def test_semantic_and_lexical_evidence_add_up(self) -> None:
        both = candidate(1, semantic=0.9, lexical=9.0)
        assert order("a question", [candidate(2, semantic=0.9), candidate(3, lexical=9.0), both])[0] == 1

    def test_a_symbol_query_trusts_the_text_index_more(self) -> None:
        near, named = candidate(1, semantic=0.9), candidate(2, lexical=9.0)
        assert order("Frobnicate", [near, named]) == [2, 1]
        assert order("frobnicate the widget", [near, named]) == [1, 2]

    def test_the_definition_of_the_symbol_comes_before_its_uses(self) -> None:
        use = candidate(1, semantic=0.9, lexical=9.0, symbol="make_session")
        definition = candidate(2, semantic=0.5, lexical=5.0, symbol="app.Session", kind="class")
        assert order("Session", [use, definition, candidate(3)])[0] == 2

    def test_a_file_named_after_the_question_comes_forward(self) -> None:
        named = candidate(2, semantic=0.7, path="src/connection_pool.py")
        assert order("pooling of connections", [candidate(1, semantic=0.9), candidate(3), named])[0] == 2

    def test_several_chunks_of_one_file_support_each_other(self) -> None:
        lone = candidate(1, semantic=0.80)
        family = [candidate(n, file_id=9, path="src/same.py", semantic=0.78) for n in (2, 3, 4)]
        assert order("q w", [lone, *family, candidate(5)])[0] == 2

    @pytest.mark.parametrize(
        "path", ["tests/test_a.py", "src/a_test.go", "spec/a_spec.rb", "FooTest.java", "a.spec.ts"]
    )
    def test_tests_are_demoted(self, path: str) -> None:
        assert path_prior(path, "python", (), Weights()) == Weights().test

    @pytest.mark.parametrize("path", ["src/latest.py", "contest/a.py", "src/attestation.go", "protest.rs"])
    def test_words_that_only_look_like_tests_are_not(self, path: str) -> None:
        assert path_prior(path, "python", (), Weights()) == 1.0

    def test_vendored_prose_and_reexporting_files_are_demoted(self) -> None:
        weights = Weights()
        assert path_prior("third_party/a.c", "c", (), weights) == weights.aside
        assert path_prior("web/.tools/a.py", "python", (), weights) == weights.aside
        assert path_prior("web/tools.d/.env.py", "python", (), weights) == 1.0
        assert path_prior("README.md", "markdown", (), weights) == weights.prose
        assert path_prior("pkg/__init__.py", "python", (), weights) == weights.barrel

    def test_a_kind_that_is_asked_for_is_not_demoted(self) -> None:
        asked = view_question("tests of the rate limiter").terms
        assert path_prior("tests/test_limiter.py", "python", asked, Weights()) == 1.0
        assert path_prior("docs/test_limiter.py", "python", asked, Weights()) == Weights().aside

    def test_the_pieces_of_one_function_are_one_answer(self) -> None:
        pieces = [candidate(n, file_id=9, path="src/long.py", unit=(1, 400), semantic=0.8 + n / 100) for n in range(5)]
        beside = candidate(7, file_id=9, path="src/long.py", semantic=0.79)
        found = order("q w", [*pieces, beside, candidate(8, semantic=0.5), candidate(9, semantic=0.1)])
        assert found[:2] == [4, 7]
        assert set(found) == {4, 7, 8, 9}

    def test_all_the_words_beat_a_hair_of_cosine(self) -> None:
        near, said = candidate(1, semantic=0.31), candidate(2, semantic=0.29, lexical=7.0)
        assert order("zebra widget frobnication", [near, said]) == [2, 1]

    def test_one_file_does_not_fill_the_list(self) -> None:
        many = [candidate(n, file_id=9, path="src/same.py", semantic=0.9 - n / 1000) for n in range(5)]
        other = candidate(10, semantic=0.8)
        assert 10 in order("q w", [*many, other, candidate(11)], Weights(coherence=0.0))[:3]

    def test_without_signals_only_the_fused_scores_count(self) -> None:
        named = candidate(2, semantic=0.7, path="src/connection_pool.py", symbol="pool", kind="class")
        plain = candidate(1, semantic=0.8, path="tests/a.py")
        assert order("pool", [plain, named, candidate(3)], Weights().without_signals())[:2] == [1, 2]

    def test_a_chunk_without_a_vector_is_ranked_by_its_text(self) -> None:
        waiting = candidate(2, semantic=math.nan, lexical=9.0)
        assert order("q w", [candidate(1, semantic=0.1), waiting, candidate(3, semantic=math.nan)])[0] == 2


class TestRank:
    def test_nothing_in_nothing_out(self) -> None:
        assert rank(view_question("x"), [], {}, Weights()) == []

    @given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 50), st.integers(0, 3)), max_size=30), st.randoms())
    def test_every_candidate_once_best_first_whatever_the_order_given(self, facts, random) -> None:  # type: ignore[no-untyped-def]
        found = [candidate(n, semantic=s, lexical=t, file_id=f, path=f"f{f}.py") for n, (s, t, f) in enumerate(facts)]
        ranked = rank(view_question("some question"), found, {}, Weights())
        assert sorted(i for i, _ in ranked) == list(range(len(found)))
        scores = [score for _, score in ranked]
        assert scores == sorted(scores, reverse=True)
        shuffled = random.sample(found, len(found))
        assert sorted(round(s, 4) for s in scores) == sorted(
            round(s, 4) for _, s in rank(view_question("some question"), shuffled, {}, Weights())
        )

    def test_a_rare_word_in_the_path_weighs_more_than_a_common_one(self) -> None:
        rarity = inverse_frequency({"socket": 2, "data": 900}, 1000)
        rare, common = candidate(1, path="socket.py"), candidate(2, path="data.py")
        ranked = rank(view_question("socket data"), [common, rare], rarity, Weights())
        assert ranked[0][0] == 1


class TestReranked:
    def test_the_cross_encoder_decides_between_equals(self) -> None:
        result = reranked(np.array([1.0, 1.0, 1.0], np.float32), np.array([0.0, 3.0, 1.0], np.float32), Weights())
        assert [i for i, _ in result] == [1, 2, 0]

    def test_a_clear_recall_winner_survives_a_small_doubt(self) -> None:
        result = reranked(np.array([9.0, 1.0, 0.9], np.float32), np.array([0.0, 0.1, 0.0], np.float32), Weights())
        assert result[0][0] == 0

    def test_scores_stay_on_the_range_of_recall(self) -> None:
        recall = np.array([3.0, 2.0, 1.0], np.float32)
        result = reranked(recall, np.array([0.0, 0.0, 9.0], np.float32), Weights(rerank=9.0))
        assert [i for i, _ in result] == [2, 0, 1]
        assert [score for _, score in result] == [3.0, 2.0, 1.0]

    def test_no_candidates(self) -> None:
        assert reranked(np.empty(0, np.float32), np.empty(0, np.float32), Weights()) == []

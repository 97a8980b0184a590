"""Algorithm 1 with scripted scores: each branch, the threshold, the minimum size, and resume."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from spencer_models.assistants import select_assistants
from spencer_models.results import AssistantPath

FULL = "12"


class Script:
    """Models are texts: "9<12" has nine layers and was taught by the model "12". Scores are given by name."""

    def __init__(self, scores: Mapping[str, float], kept: dict[str, str] | None = None, stop_after: int = 99) -> None:
        self.scores = scores
        self.kept = {} if kept is None else kept
        self.taught: list[tuple[str, str, str]] = []
        self.paths: list[AssistantPath] = []
        self._stop_after = stop_after

    def depth(self, model: str) -> int:
        return int(model.partition("<")[0])

    def score(self, model: str) -> float:
        return self.scores[model]

    def pupil(self, start: str, removed: int, teacher: str) -> str:
        pupil = f"{self.depth(start) - removed}<{self.depth(teacher)}"
        if pupil not in self.kept:
            if len(self.taught) == self._stop_after:
                raise KeyboardInterrupt
            self.taught.append((pupil, start, teacher))
            self.kept[pupil] = pupil
        return pupil

    def record(self, path: AssistantPath) -> None:
        self.paths.append(path)


def _select(scores: Mapping[str, float], removed: int = 3, threshold: float = 0.1) -> tuple[str, AssistantPath, Script]:
    script = Script({FULL: 1.0, **scores})
    student, path = select_assistants(FULL, script, metric="R@5", removed=removed, threshold=threshold)
    return student, path, script


def test_the_teacher_stays_while_its_pupils_are_better() -> None:
    student, path, script = _select({"9<12": 0.99, "6<12": 0.98, "6<9": 0.97, "3<12": 0.96, "3<6": 0.95})
    assert student == "3<12"
    assert script.taught == [
        ("9<12", "12", "12"),
        ("6<12", "9<12", "12"),
        ("6<9", "9<12", "9<12"),
        ("3<12", "6<12", "12"),
        ("3<6", "6<12", "6<12"),
    ]
    assert path.student_layers == 3
    assert [(s.layers, s.teacher_layers, s.role, s.chosen, s.kept) for s in path.steps] == [
        (9, 12, "first", True, True),
        (6, 12, "from A1", True, True),
        (6, 9, "from A2", False, False),
        (3, 12, "from A1", True, True),
        (3, 6, "from A2", False, False),
    ]


def test_the_assistant_takes_the_place_of_a_teacher_whose_pupil_is_worse() -> None:
    student, path, script = _select({"9<12": 0.99, "6<12": 0.97, "6<9": 0.98, "3<9": 0.95, "3<6": 0.96})
    assert student == "3<6"
    # After 6<9 won, A1 is the 9-layer assistant and A2 the 6-layer one.
    assert script.taught[3:] == [("3<9", "6<9", "9<12"), ("3<6", "6<9", "6<9")]
    assert [s.chosen for s in path.steps] == [True, False, True, False, True]


def test_of_equal_pupils_the_assistants_is_taken_as_in_the_listing() -> None:
    student, _, script = _select({"9<12": 0.99, "6<12": 0.97, "6<9": 0.97, "3<9": 0.5, "3<6": 0.4})
    assert student == "6<9"
    assert script.taught[-1] == ("3<6", "6<9", "6<9")


def test_a_drop_that_reaches_the_threshold_ends_the_search_and_is_not_kept() -> None:
    student, path, script = _select({"9<12": 0.95, "6<12": 0.75, "6<9": 0.6}, threshold=0.25)
    assert student == "9<12"
    assert path.student_layers == 9
    assert not any(s.kept for s in path.steps[1:])
    assert len(script.taught) == 3
    # One step further where the drop is just below it.
    student, _, _ = _select({"9<12": 0.95, "6<12": 0.76, "6<9": 0.6, "3<12": 0.1, "3<6": 0.1}, threshold=0.25)
    assert student == "6<12"


def test_the_first_student_is_kept_even_beyond_the_threshold_as_in_the_listing() -> None:
    student, path, script = _select({"9<12": 0.5})
    assert (student, path.student_layers, len(script.taught)) == ("9<12", 9, 1)
    assert [s.kept for s in path.steps] == [False]


def test_a_model_that_cannot_shrink_further_ends_the_search() -> None:
    perfect = {f"{n}<{t}": 1.0 for n in (7, 2) for t in (12, 7)}
    student, path, _ = _select(perfect, removed=5)
    assert student == "2<7"
    assert path.student_layers == 2
    student, path, _ = _select({"1<12": 1.0}, removed=11)
    assert (student, len(path.steps)) == ("1<12", 1)


@pytest.mark.parametrize("removed", [0, -1, 12, 13])
def test_an_impossible_step_is_refused(removed: int) -> None:
    with pytest.raises(ValueError, match="cannot be taken"):
        _select({}, removed=removed)


def test_the_path_is_recorded_after_every_round() -> None:
    _, path, script = _select({"9<12": 0.99, "6<12": 0.98, "6<9": 0.97, "3<12": 0.8, "3<6": 0.7})
    assert [len(p.steps) for p in script.paths] == [1, 3, 5]
    assert script.paths[-1] == path
    assert (path.teacher_layers, path.teacher_score, path.threshold, path.removed_per_step) == (12, 1.0, 0.1, 3)


def test_a_search_that_was_stopped_teaches_nobody_twice() -> None:
    scores = {FULL: 1.0, "9<12": 0.99, "6<12": 0.97, "6<9": 0.98, "3<9": 0.95, "3<6": 0.96}
    whole = Script(scores)
    expected = select_assistants(FULL, whole, metric="R@5", removed=3, threshold=0.1)
    for stop_after in range(5):
        kept: dict[str, str] = {}
        stopped = Script(scores, kept, stop_after)
        with pytest.raises(KeyboardInterrupt):
            select_assistants(FULL, stopped, metric="R@5", removed=3, threshold=0.1)
        again = Script(scores, kept)
        assert select_assistants(FULL, again, metric="R@5", removed=3, threshold=0.1) == expected
        assert stopped.taught + again.taught == whole.taught

"""How much of a checkpoint is mixed back in, on a model of one weight whose scores are known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spencer_desktop.core.errors import UserError
from spencer_models.blending import SHARES, Blend, blend


def _model(value: float) -> nn.Linear:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def _blend(lost: float, allowed: float) -> tuple[nn.Linear, Blend]:
    """The weight is how far training went: documentation gains 0.1 of it, questions lose `lost` of it."""
    trained = _model(1.0)

    def score() -> dict[str, float]:
        went = trained.weight.item()
        return {"docs": 0.7 + 0.1 * went, "questions": 0.6 - lost * went}

    return trained, blend(trained, _model(0.0), score, allowed)


@pytest.mark.parametrize(("lost", "share"), [(-0.1, 0.0), (0.01, 0.0), (0.012, 0.2), (0.018, 0.5), (0.1, 0.5)], ids=str)
def test_the_smallest_share_that_loses_little_enough_is_taken(lost: float, share: float) -> None:
    model, found = _blend(lost, allowed=0.01 + 1e-7)
    assert found.share == share
    assert model.weight.item() == pytest.approx(1 - share)
    assert found.checkpoint == pytest.approx({"docs": 0.7, "questions": 0.6})
    assert list(found.tried) == [f"{tried:g}" for tried in SHARES if tried <= share]
    assert found.tried[f"{share:g}"]["docs"] == pytest.approx(0.7 + 0.1 * (1 - share))


@pytest.mark.parametrize(("allowed", "share"), [(1.0, 0.3), (0.061, 0.3), (0.029, 0.2), (0.0, 0.1)], ids=str)
def test_questions_that_people_asked_choose_among_the_shares_that_lose_little_enough(
    allowed: float, share: float
) -> None:
    trained = _model(1.0)

    def score() -> dict[str, float]:
        mixed = 1 - trained.weight.item()
        asked = 0.6 - (mixed - 0.3) ** 2 if mixed < 0.9 else 0.4
        return {"web, python": asked, "web, sql": asked, "mined, go": 0.8 - 0.2 * mixed if mixed < 0.9 else 0.77}

    found = blend(trained, _model(0.0), score, allowed, ["web"])
    assert list(found.tried) == [f"{tried:g}" for tried in SHARES]
    assert found.share == share
    assert trained.weight.item() == pytest.approx(1 - share)


def test_a_source_without_validation_questions_is_told() -> None:
    with pytest.raises(UserError, match="'forum', of which there are no validation questions") as raised:
        blend(_model(1.0), _model(0.0), lambda: {"web, python": 0.5, "mined, go": 0.6}, 0.0, ["web", "forum"])
    assert raised.value.hint == "There are those of mined, web."


def test_what_is_no_floating_point_number_stays_as_trained() -> None:
    trained, before = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    assert trained.num_batches_tracked is not None
    trained.num_batches_tracked += 7
    blend(trained, before, lambda: {"all": 1.0 - float(torch.equal(trained.weight, before.weight))}, 0.0)
    assert trained.num_batches_tracked == 7

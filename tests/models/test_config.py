from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spencer_desktop.core.errors import UserError
from spencer_models.cli import app
from spencer_models.config import fingerprint, read_recipe

RECIPE = Path(__file__).parents[2] / "resources/recipes/v0.toml"


def _changed(folder: Path, old: str, new: str) -> Path:
    text = RECIPE.read_text(encoding="utf-8")
    assert old in text
    path = folder / "recipe.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_shipped_recipe_reads() -> None:
    recipe = read_recipe(RECIPE)
    assert recipe.distill.layers
    assert sum(recipe.rerank.mix.values()) == pytest.approx(1)
    assert not set(recipe.corpus.train) & set(recipe.corpus.valid)
    assert isinstance(recipe.rerank.minutes, float)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = ", "sead = ", "unknown entry 'sead'"),
        ("batch = ", "#batch = ", r"\[distill\] is incomplete"),
        ("[lengths]", "[length]", r"\[lengths\] is missing"),
        ("query = 64", 'query = "64"', r"\[lengths\] query is '64'"),
        ("query = 64", "query = true", r"\[lengths\] query is True"),
        ("layers = [", 'layers = ["a", ', r"\[distill\] layers is 'a'"),
        ("mined = ", 'mined = "x" #', r"mix\.mined is 'x'"),
        ('precision = "bfloat16"', 'precision = "int4"', "precision is 'int4'"),
        ('loss = "listwise"', 'loss = "margin"', "rerank.loss is 'margin'"),
        ("[lengths]", "[lengths", "is not TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_in_words(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_recipe(_changed(tmp_path, old, new))


def test_a_missing_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")


def test_the_fingerprint_follows_every_value_and_nothing_else() -> None:
    recipe = read_recipe(RECIPE)
    again = read_recipe(RECIPE)
    assert fingerprint({"a": "1"}, recipe.corpus, recipe.rerank) == fingerprint({"a": "1"}, again.corpus, again.rerank)
    other = replace(recipe.rerank, learning_rate=1e-3)
    assert fingerprint({"a": "1"}, recipe.corpus, recipe.rerank) != fingerprint({"a": "1"}, recipe.corpus, other)
    assert fingerprint({"a": "1"}, recipe.corpus) != fingerprint({"a": "2"}, recipe.corpus)


def test_help_does_not_load_torch() -> None:
    show = "from spencer_models.cli import app; app(['--help'], standalone_mode=False)"
    code = f"import sys; {show}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "False"
    assert "distill" in done.stdout


def test_a_folder_without_pair_files_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["prepare", str(RECIPE), "--train", str(tmp_path)])
    assert isinstance(result.exception, UserError)
    assert str(tmp_path) in str(result.exception)

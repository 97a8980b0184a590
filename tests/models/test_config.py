"""Recipes: what is shipped reads, what is wrong is named, and fingerprints follow every value."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.base import Pretrained
from spencer_models.backbones.families import FAMILIES
from spencer_models.cli import app
from spencer_models.config import fingerprint
from spencer_models.recipes import read_recipe
from spencer_models.toml_config import RECIPES, read_toml

SHIPPED = sorted(RECIPES.glob("*.toml"), key=lambda path: path.name)
SMALL = RECIPES / "minilm-small.toml"
PAPER = sorted(RECIPES.glob("paper-*.toml"), key=lambda path: path.name)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_reads(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert recipe.backbone.family in FAMILIES
    splits = {source.split for source in (*recipe.data.trees, *recipe.data.files)}
    # A team's own corpus comes ready-made.
    assert splits >= {"train", "valid", "test"} or recipe.name == "minilm-own"
    pretrained = issubclass(FAMILIES[recipe.backbone.family], Pretrained)
    assert bool(recipe.cross) == bool(recipe.distill) == pretrained


def test_there_is_a_recipe_for_every_row_of_the_paper() -> None:
    families = ("codebert", "graphcodebert", "codet5", "unixcoder", "sptcode", "codenn", "cradle")
    expected = {f"paper-{family}-{language}" for family in families for language in ("python", "java")}
    assert {path.stem for path in PAPER} == expected
    assert {path.stem for path in SHIPPED} - expected == {"minilm-small", "minilm-full", "minilm-own", "default"}


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.stem)
def test_the_papers_settings(path: Path) -> None:
    recipe = read_recipe(path)
    language = path.stem.rpartition("-")[2]
    assert recipe.evaluate.languages == recipe.data.languages == (language,)
    assert (recipe.evaluate.pool, recipe.evaluate.candidates, recipe.text.code) == (1000, 5, 512)
    assert recipe.dual.literal is False
    if recipe.distill is None or recipe.cross is None:
        return
    for training in (recipe.dual.training, recipe.cross.training, recipe.distill.training):
        assert (training.batch, training.learning_rate, training.epochs, training.dropout) == (16, 1e-5, 8, 0.2)
        assert training.patience > 0
    assert recipe.distill.sizes == (9, 6, 3, 1)
    assert (recipe.assistants.removed, recipe.assistants.threshold) == (3, 0.01)
    assert (recipe.cross.loss, recipe.cross.head, recipe.cross.recall_scale) == ("pointwise", "cls", 0.0)


def _changed(folder: Path, old: str, new: str) -> Path:
    text = SMALL.read_text(encoding="utf-8")
    assert old in text
    path = folder / "recipe.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = ", "sead = ", "unknown entry 'sead'"),
        ("batch = ", "#batch = ", r"recipe.toml: dual: training lacks batch"),
        ("[text]", "[texts]", "unknown entry 'texts'"),
        ("query = 48", 'query = "48"', r"text: query is '48'; it must be of type int"),
        ("query = 48", "query = true", r"text: query is True; it must be of type int"),
        ("sizes = [", 'sizes = ["a", ', r"distill: sizes\[0\] is 'a'"),
        ("trees = [", "trees = [3, ", r"data: trees\[0\] is 3; it must be of type TreeSource"),
        ('precision = "auto"', 'precision = "int4"', "precision is 'int4'"),
        ('loss = "listwise"', 'loss = "margin"', "cross.loss is 'margin'"),
        ("epochs = 0.5", "epochs = -1", r"dual.training.epochs is -1.0; it must be at least 0"),
        ("negatives = 5", "negatives = 50", r"cross.negatives is 50; it must be from 1 to cross.depth, 32"),
        ('data = "groups"', 'data = "random"', r"cross.loss is .listwise.; it must be .pointwise., unless"),
        (
            "cross_questions = 10",
            "candidates = 11",
            r"candidates is 11; it must be from 2 to evaluate.most_candidates, 10",
        ),
        ("sizes = [5", "sizes = [-1", r"distill.sizes is \[-1, 4, 3, 2, 1\]; it must be at least 0 each"),
        ("[dual.training]", "[dual]\nforgotten = 2\n[dual.training]", r"dual.forgotten is 2.0; it must be from 0 to 1"),
        ("[cross]", "[cross]\njoint = 1", r"cross.joint is 1; it must be 0, or above with cross.head = .late."),
        ('head = "interaction"', 'head = "late"\njoint = -1', r"cross.joint is -1; it must be 0, or above"),
        ("[text]", "[mix]\nrepeats = { a = -1 }\n[text]", r"mix.repeats.a is -1; it must be at least 0"),
        ("[text]", "[text", "is not TOML"),
        ("removed = 1", 'removed = 1\nscore = "luck"', "assistants.score is 'luck'"),
    ],
)
def test_a_wrong_recipe_is_refused_in_words(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_recipe(_changed(tmp_path, old, new))


def test_a_missing_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")


def test_a_recipe_overrides_what_it_extends_table_by_table(tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets/base.toml").write_text("a = 1\nlist = [1, 2]\n[t]\nx = 1\n[t.u]\ny = 2\n", encoding="utf-8")
    (tmp_path / "presets/middle.toml").write_text('extends = "base.toml"\n[t]\nx = 5\n', encoding="utf-8")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('extends = "presets/middle.toml"\nlist = [3]\n[t.u]\nz = 4\n', encoding="utf-8")
    assert read_toml(recipe) == {"a": 1, "list": [3], "t": {"x": 5, "u": {"y": 2, "z": 4}}}
    (tmp_path / "presets/base.toml").write_text('extends = "middle.toml"\n', encoding="utf-8")
    with pytest.raises(UserError, match="extends itself"):
        read_toml(recipe)


def test_a_recipe_of_ones_own_may_extend_a_shipped_one_by_its_name(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('extends = "minilm-own.toml"\nname = "mine"\n', encoding="utf-8")
    mine, own = read_recipe(recipe), read_recipe(RECIPES / "minilm-own.toml")
    assert replace(mine, name=own.name) == own
    recipe.write_text('extends = "nowhere.toml"\n', encoding="utf-8")
    with pytest.raises(UserError, match=r"nowhere\.toml cannot be read"):
        read_toml(recipe)


def test_the_fingerprint_follows_every_value_and_nothing_else() -> None:
    recipe, again = read_recipe(SMALL), read_recipe(SMALL)
    assert fingerprint({"a": "1"}, recipe.data, recipe.cross) == fingerprint({"a": "1"}, again.data, again.cross)
    other = replace(recipe.dual, temperature=0.1)
    assert fingerprint({"a": "1"}, recipe.dual) != fingerprint({"a": "1"}, other)
    assert fingerprint({"a": "1"}, recipe.dual) != fingerprint({"a": "2"}, recipe.dual)


def test_help_loads_neither_torch_nor_matplotlib() -> None:
    show = "from spencer_models.cli import app; app(['--help'], standalone_mode=False)"
    code = f"import sys; {show}; print({{'torch', 'matplotlib', 'transformers'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "set()"
    assert "reproduce" in done.stdout


def test_the_recipes_are_listed_without_their_presets() -> None:
    *listed, folder = CliRunner().invoke(app, ["recipes"]).stdout.splitlines()
    assert folder == str(RECIPES)
    about = dict(line.split(maxsplit=1) for line in listed)
    assert list(about) == [path.stem for path in SHIPPED]
    assert about["minilm-small"] == "The whole method in a size for a laptop without a GPU"


def test_an_unknown_recipe_and_an_empty_folder_of_measuring_sets_are_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["reproduce", "no-such-recipe"])
    assert isinstance(result.exception, UserError)
    assert "no-such-recipe" in str(result.exception)
    result = CliRunner().invoke(app, ["reproduce", "minilm-small", "--exclude", str(tmp_path)])
    assert isinstance(result.exception, UserError)
    assert str(tmp_path) in str(result.exception)

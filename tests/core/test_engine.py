"""The facade: folders by their names, what the pack advises, and one index seen by writer and reader."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from spencer_desktop.core.engine import Engine
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.inference import Models
from spencer_desktop.core.pack import open_pack
from spencer_desktop.core.settings import Settings
from spencer_desktop.core.types import Filters, Mode, Query, SearchUpdate, Stage
from tests.core.tiny_pack import make_pack
from tests.fakes import DIMENSION, SMALL_PROJECT, FakeModels, FakeReranker, write_tree


class PackedModels(FakeModels):
    """Fake models that come with a pack's manifest."""

    def __init__(self, folder: Path, **manifest: Any) -> None:
        super().__init__(FakeReranker("close"))
        self.pack = open_pack(make_pack(folder, manifest={"dimension": DIMENSION} | manifest))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "data", tmp_path / "pack", device="cpu", threads=1)


@pytest.fixture
def models(tmp_path: Path) -> PackedModels:
    return PackedModels(tmp_path / "pack")


@pytest.fixture
def engine(settings: Settings, models: PackedModels) -> Iterator[Engine]:
    with Engine(settings, cast("Models", models)) as engine:
        yield engine


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "code/project", SMALL_PROJECT)


def ask(engine: Engine, text: str, **options: Any) -> list[SearchUpdate]:
    return list(engine.search(Query(text, **options)))


def names(engine: Engine) -> list[str]:
    return [status.repository.name for status in engine.repositories()]


def test_index_then_ask(engine: Engine, project: Path) -> None:
    report = engine.index([project])
    assert (report.added, report.faults, report.stopped) == (len(SMALL_PROJECT), [], False)
    best = ask(engine, "parse a date")[0].hits[0]
    assert (best.root, best.path, best.symbol) == (str(project), "app/session.py", "parse_date")
    (status,) = engine.repositories()
    assert (status.present, status.files, status.pending, status.skipped) == (True, len(SMALL_PROJECT), 0, 0)
    assert status.chunks == report.chunks


def test_an_open_engine_sees_what_it_indexes_later(engine: Engine, project: Path) -> None:
    engine.index([project])
    assert ask(engine, "zebra", mode=Mode.LEXICAL)[0].hits == ()
    write_tree(project, {"new.py": "def zebra():\n    return 'stripes'\n"})
    engine.index([])
    assert ask(engine, "zebra")[0].hits[0].symbol == "zebra"
    assert engine.similar(project / "new.py", 1, limit=1).hits
    engine.remove(str(project))
    assert ask(engine, "zebra")[0].hits == ()


def test_without_paths_every_folder_is_brought_up_to_date(engine: Engine, tmp_path: Path) -> None:
    roots = [write_tree(tmp_path / name, {"a.txt": f"{name}\n"}) for name in ("one", "two")]
    engine.index(roots)
    for root in roots:
        write_tree(root, {"b.txt": f"more of {root.name}\n"})
    assert engine.index([roots[0]]).added == 1
    assert engine.index([]).added == 1


def test_a_folder_is_registered_once(engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    engine.index([project, Path("project"), project / "../project"])
    engine.index([Path("./project/")])
    assert names(engine) == ["project"]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere links need a privilege")
def test_a_folder_is_known_by_its_real_path(engine: Engine, project: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(project, target_is_directory=True)
    engine.index([project])
    assert engine.index([link]).unchanged == len(SMALL_PROJECT)
    (status,) = engine.repositories()
    assert status.repository.root == project
    assert engine.skipped(str(link)) == {}
    assert engine.remove(str(link)).root == project


@pytest.mark.skipif(os.name != "posix", reason="elsewhere links need a privilege")
def test_a_folder_that_became_a_link_is_known_by_its_old_path(engine: Engine, project: Path, tmp_path: Path) -> None:
    engine.index([project])
    project.rename(tmp_path / "moved")
    project.symlink_to(tmp_path / "moved", target_is_directory=True)
    assert engine.remove(str(project)).root == project


def test_folders_of_one_name_are_told_apart(engine: Engine, tmp_path: Path) -> None:
    roots = [write_tree(tmp_path / f"{name}/src", {"a.txt": f"{name}\n"}) for name in ("one", "two")]
    engine.index(roots)
    assert names(engine) == ["src", "two/src"]
    hits = ask(engine, "one two", filters=Filters(repositories=("two/src",)))[0].hits
    assert {hit.root for hit in hits} == {str(roots[1])}


@pytest.mark.skipif(os.name != "posix", reason="names of this kind exist on POSIX only")
def test_a_folder_whose_name_is_no_text(engine: Engine, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "co\udcffde", {"a.txt": "zebra\n"})
    engine.index([root])
    assert names(engine) == ["co\ufffdde"]
    assert ask(engine, "zebra")[0].hits[0].root == str(root)
    engine.remove(str(root))
    assert names(engine) == []


def test_removing_by_name_or_path(engine: Engine, tmp_path: Path) -> None:
    roots = [write_tree(tmp_path / name, {"a.txt": f"{name}\n"}) for name in ("one", "two")]
    engine.index(roots)
    assert engine.remove("one").root == roots[0]
    assert names(engine) == ["two"]
    assert engine.remove(str(roots[1])).name == "two"
    assert names(engine) == []
    assert (roots[0] / "a.txt").exists()
    with pytest.raises(UserError, match="No repository 'one'") as caught:
        engine.remove("one")
    assert caught.value.hint == "Indexed: none."


def test_a_folder_that_is_gone_is_not_present(engine: Engine, project: Path, tmp_path: Path) -> None:
    engine.index([project])
    project.rename(tmp_path / "moved")
    (status,) = engine.repositories()
    assert not status.present
    assert status.files == len(SMALL_PROJECT)
    assert len(engine.index([]).faults) == 1
    assert ask(engine, "parse a date")[0].hits


def test_what_is_left_out_can_be_listed(engine: Engine, project: Path) -> None:
    write_tree(project, {"data.bin": b"\0\0\0", ".env": "KEY=1\n"})
    engine.index([project])
    assert sorted(engine.skipped("project")) == [".env", "data.bin"]
    assert engine.repositories()[0].skipped == 2


def test_a_wrong_path_registers_nothing(engine: Engine, project: Path) -> None:
    for path, words in ((project / "nowhere", "There is no folder"), (project / "README.md", "is not a folder")):
        with pytest.raises(UserError, match=words) as caught:
            engine.index([project, path])
        assert caught.value.hint
    with pytest.raises(UserError, match="Nothing is indexed"):
        engine.repositories()


def test_settings_say_what_is_indexed(settings: Settings, models: PackedModels, tmp_path: Path) -> None:
    big = write_tree(tmp_path / "big", {"big.md": "words of text\n" * 80_000, "node_modules/m/a.js": "f()\n"})
    with Engine(settings, cast("Models", models)) as engine:
        assert engine.index([big]).added == 1
    less = replace(settings, max_file_mib=1, include_vendored=True)
    with Engine(less, cast("Models", models)) as engine:
        report = engine.index([])
        assert (report.added, report.removed) == (1, 1)


# What the pack advises


def stages(engine: Engine, text: str = "open a session", **options: Any) -> list[Stage]:
    return [update.stage for update in ask(engine, text, **options)]


BOTH = [Stage.RECALL, Stage.RERANKED]


@pytest.mark.parametrize(
    ("advised", "mode", "wish", "expected"),
    [
        (True, Mode.HYBRID, None, BOTH),
        (True, Mode.SEMANTIC, None, BOTH),
        (True, Mode.LEXICAL, None, BOTH[:1]),
        (True, Mode.LEXICAL, True, BOTH),
        (True, Mode.HYBRID, False, BOTH[:1]),
        (False, Mode.HYBRID, None, BOTH[:1]),
        (False, Mode.HYBRID, True, BOTH),
        (True, Mode.REGEX, None, BOTH[:1]),
    ],
)
def test_reranking_as_the_pack_advises_unless_told_otherwise(
    settings: Settings, project: Path, tmp_path: Path, advised: bool, mode: Mode, wish: bool | None, expected: object
) -> None:
    rerank = {"candidates": 3, "recall_scale": 20.0, "default": advised}
    models = PackedModels(tmp_path / "other pack", rerank=rerank)
    with Engine(settings, cast("Models", models)) as engine:
        engine.index([project])
        assert stages(engine, mode=mode, rerank=wish) == expected
        assert models.reranker is not None
        assert models.reranker.read == (3 if expected == BOTH else 0)


def test_a_name_alone_is_read_again_only_if_asked_for(settings: Settings, models: PackedModels, project: Path) -> None:
    with Engine(settings, cast("Models", models)) as engine:
        engine.index([project])
        assert stages(engine, "Session") == BOTH[:1]
        assert stages(engine, "Session", rerank=True) == BOTH


def test_the_number_of_candidates_can_be_set(settings: Settings, models: PackedModels, project: Path) -> None:
    with Engine(replace(settings, candidates=2), cast("Models", models)) as engine:
        engine.index([project])
        assert stages(engine) == BOTH
    assert models.reranker is not None
    assert models.reranker.read == 2


# Opening


def test_opening_reads_the_pack_but_loads_no_model(settings: Settings, tmp_path: Path) -> None:
    make_pack(tmp_path / "pack", code_encoder=b"no graph", query_encoder=b"no graph")
    with Engine.open(settings) as engine:
        assert engine.models.device.name == "CPU"
        assert engine.models.device.threads == 1
        assert engine.models.pack.manifest.name == "tiny"


def test_opening_without_a_pack(settings: Settings) -> None:
    with pytest.raises(UserError, match="There is no model pack"):
        Engine.open(settings)


def test_before_anything_is_indexed(engine: Engine) -> None:
    for look in (lambda: ask(engine, "x"), engine.repositories, lambda: engine.similar(Path("x"), 1)):
        with pytest.raises(UserError, match="Nothing is indexed"):
            look()
    assert not engine.settings.data_dir.exists()

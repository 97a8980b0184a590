"""What the data folder may turn out to be: another pack's, another version's, damaged, or not ours to write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import apsw
import numpy as np
import pytest

from spencer_desktop.core import index, schema
from spencer_desktop.core.index import CATALOG, Index
from spencer_desktop.core.settings import load_settings
from spencer_desktop.core.types import Query
from spencer_desktop.core.vectors import GraphCache
from tests.e2e.harness import POSIX, PackedFakes, engine_with, spencer, sql, unprivileged, use_models
from tests.fakes import DIMENSION, SMALL_PROJECT, write_tree

DAY = "parse a date such as 2024-05-01"


@pytest.fixture
def kept(root: Path, data: Path, models: PackedFakes) -> Path:
    """The data folder of an index of SMALL_PROJECT."""
    write_tree(root, SMALL_PROJECT)
    assert spencer("index", root, data=data).code == 0
    return data


def digest(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.is_file()}


# Another pack


def test_vectors_of_another_pack_are_not_compared_and_made_again(
    kept: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = len(models.code_encoder.encoded)
    other = PackedFakes("another space")
    use_models(monkeypatch, other)
    by_text = spencer("search", DAY, "--json", data=kept)
    assert by_text.code == 0
    assert by_text.json["hits"][0]["symbol"] == "parse_date"
    assert "another model pack; run `spencer index`" in by_text.json["notice"]
    assert other.query_encoder.encoded == [], "a question has no meaning in a space of other vectors"
    assert "another model pack" in spencer("search", DAY, data=kept).err
    refused = spencer("search", DAY, "--mode", "semantic", data=kept)
    assert refused.code == 2
    assert "spencer index" in refused.err
    assert not spencer("status", "--json", data=kept).json["vectors_of_this_pack"]
    assert "another model pack" in spencer("status", data=kept).out
    report = spencer("index", "--json", data=kept).json
    assert (report["encoded"], report["added"], report["changed"]) == (made, 0, 0)
    assert spencer("search", DAY, "--mode", "semantic", data=kept).code == 0
    assert spencer("status", "--json", data=kept).json["vectors_of_this_pack"]


# Another schema, or no catalogue at all


def test_an_older_catalogue_keeps_its_folders_and_is_made_again(
    kept: Path, root: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = len(models.code_encoder.encoded)
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    before = (kept / CATALOG).read_bytes()
    for arguments in (["search", DAY], ["list"], ["status"]):
        refused = spencer(*arguments, data=kept)
        assert refused.code == 2
        assert "older version" in refused.err
        assert "Run `spencer index` once" in refused.err
    assert (kept / CATALOG).read_bytes() == before
    report = spencer("index", "--json", data=kept).json
    assert (report["added"], report["encoded"]) == (len(SMALL_PROJECT), made)
    assert [row["root"] for row in spencer("list", "--json", data=kept).json] == [str(root)]
    assert spencer("search", DAY, data=kept).code == 0


def test_a_newer_catalogue_is_left_alone(kept: Path, root: Path) -> None:
    connection = apsw.Connection(str(kept / CATALOG))
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    before = (kept / CATALOG).read_bytes()
    for arguments in (["index"], ["index", str(root)], ["search", DAY], ["list"], ["remove", "code"]):
        refused = spencer(*arguments, data=kept)
        assert refused.code == 2
        assert "newer version" in refused.err
        assert "Use the newer program" in refused.err
    assert (kept / CATALOG).read_bytes() == before


def foreign(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE precious (data); INSERT INTO precious VALUES (1)")
    connection.close()


def truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "another program's database": foreign,
    "a folder": Path.mkdir,
}


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


BROKEN: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(b"no database at all" * 500),
    "half a file": truncated,
    "one bit": flipped,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_catalogue_that_is_none_is_refused_and_left_alone(kept: Path, root: Path, damage: str) -> None:
    path = kept / CATALOG
    path.unlink()
    DAMAGE[damage](path)
    before = path.is_file() and path.read_bytes()
    for arguments in (["search", "socket"], ["search", "socket", "--mode", "regex"], ["index", str(root)]):
        refused = spencer(*arguments, data=kept)
        assert refused.code == 2, refused
        assert str(path) in refused.err
        assert "--data-dir" in refused.err
    assert (path.is_file() and path.read_bytes()) == before


@pytest.mark.parametrize("damage", BROKEN)
def test_a_damaged_catalogue_is_repaired(kept: Path, root: Path, tmp_path: Path, damage: str) -> None:
    other = write_tree(tmp_path / "other" / "code", {"b.py": "def socket_of_other():\n    return 1\n"})
    assert spencer("index", other, data=kept).code == 0
    names = {row["root"]: row["name"] for row in spencer("list", "--json", data=kept).json}
    BROKEN[damage](kept / CATALOG)
    told = spencer("doctor", "--json", data=kept)
    finding = next(row for row in told.json if row["name"] == "index")
    assert (told.code, finding["ok"]) == (2, False)
    assert "spencer doctor --repair" in finding["remedy"]
    repaired = spencer("doctor", "--repair", data=kept)
    assert repaired.code == 0, repaired
    assert f"set aside in {kept / 'damaged'}" in repaired.err
    assert {row["root"]: row["name"] for row in spencer("list", "--json", data=kept).json} == names
    assert spencer("search", DAY, "--mode", "semantic", data=kept).code == 0
    assert spencer("search", "socket_of_other", data=kept).code == 0
    # What is whole is left alone.
    before = digest(kept)
    assert "damaged" not in spencer("doctor", "--repair", data=kept).err
    assert digest(kept) == before
    assert (kept / "damaged" / CATALOG).exists()
    assert spencer("remove", str(other), data=kept).code == 0
    assert not (kept / "damaged").exists()


@pytest.mark.parametrize("damage", ["garbage", "half a file"])
def test_indexing_repairs_what_it_finds_damaged(kept: Path, root: Path, tmp_path: Path, damage: str) -> None:
    BROKEN[damage](kept / CATALOG)
    other = write_tree(tmp_path / "other", {"b.py": "def socket_of_other():\n    return 1\n"})
    report = spencer("index", other, "--json", data=kept)
    assert (report.code, report.json["added"]) == (0, len(SMALL_PROJECT) + 1)
    assert "set aside" in report.json["notice"]
    assert len(spencer("list", "--json", data=kept).json) == 2


def test_without_its_list_of_folders_a_damaged_catalogue_gives_an_empty_one(kept: Path, root: Path) -> None:
    (kept / "folders.json").write_text("[{}]")
    BROKEN["garbage"](kept / CATALOG)
    assert spencer("doctor", "--repair", data=kept).code == 0
    assert spencer("list", "--json", data=kept).json == []
    assert spencer("index", root, data=kept).code == 0


def test_who_reads_follows_to_the_index_that_was_made_anew(kept: Path, models: PackedFakes) -> None:
    settings = load_settings(data_dir=kept)
    with engine_with(models, settings) as reader, engine_with(models, settings) as writer:
        *_, before = reader.search(Query(DAY))
        flipped(kept / CATALOG)
        assert writer.repair() is not None
        *_, after = reader.search(Query(DAY))
        assert [hit.symbol for hit in after.hits] == [hit.symbol for hit in before.hits]
        assert writer.repair() is None


def test_a_catalogue_that_was_moved_away_is_made_again(kept: Path, root: Path, models: PackedFakes) -> None:
    made = len(models.code_encoder.encoded)
    (kept / CATALOG).unlink()
    assert spencer("search", DAY, data=kept).code == 2
    assert spencer("index", root, "--json", data=kept).json["encoded"] == made
    assert spencer("search", DAY, data=kept).code == 0


def test_an_empty_catalogue_is_as_good_as_none(data: Path, root: Path, models: PackedFakes) -> None:
    data.mkdir()
    (data / CATALOG).touch()
    assert spencer("search", DAY, data=data).code == 2
    write_tree(root, SMALL_PROJECT)
    assert spencer("index", root, data=data).code == 0
    assert spencer("search", DAY, data=data).code == 0


# Permissions


@POSIX
def test_a_read_only_data_folder_can_be_searched(shared_tmp: Path, models: PackedFakes) -> None:
    data = shared_tmp / "data"
    root = write_tree(shared_tmp / "code", SMALL_PROJECT)
    assert spencer("index", root, data=data).code == 0
    # A reader, too, leaves files beside the catalogue.
    assert spencer("search", "socket", data=data).code == 0
    open_up(data, folder=0o555, file=0o444)
    before = digest(data)
    with unprivileged():
        for mode in ("hybrid", "semantic", "lexical", "regex"):
            assert spencer("search", "socket", "--mode", mode, data=data).code == 0
        for arguments in (["list"], ["status"], ["similar", f"{root}/app/colors.py:1"]):
            assert spencer(*arguments, data=data).code == 0
        for arguments in (["index"], ["index", str(root)], ["remove", str(root)]):
            refused = spencer(*arguments, data=data)
            assert refused.code == 2
            assert str(data) in refused.err
            assert "--data-dir" in refused.err
    assert digest(data) == before


@POSIX
def test_a_data_folder_of_another_user_is_refused(shared_tmp: Path, models: PackedFakes) -> None:
    data = shared_tmp / "data"
    root = write_tree(shared_tmp / "code", SMALL_PROJECT)
    assert spencer("index", root, data=data).code == 0
    open_up(data, folder=0, file=0o600)
    with unprivileged():
        for arguments in (["search", "socket"], ["list"], ["status"], ["index"], ["index", str(root)], ["bench"]):
            refused = spencer(*arguments, data=data)
            assert refused.code == 2, refused
            assert "--data-dir" in refused.err
        assert spencer("index", root, data=shared_tmp / "none/such").code == 2
    data.chmod(0o755)


def open_up(data: Path, *, folder: int, file: int) -> None:
    for path in data.iterdir():
        path.chmod(file)
    data.chmod(folder)


def test_a_data_folder_that_is_a_file(root: Path, tmp_path: Path, models: PackedFakes) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    for data in (file, file / "below"):
        assert spencer("search", "x", data=data).code == 2
        assert spencer("index", root, data=data).code == 2
    assert file.read_text() == "precious"


# The vector cache


@pytest.fixture
def graph(kept: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `kept`, with an hnswlib graph, which an index of this size would not have."""

    def eager(directory: Path, origin: str, dimension: int) -> GraphCache:
        return GraphCache(directory, origin, dimension, build_from=1)

    monkeypatch.setattr(index, "GraphCache", eager)
    assert spencer("index", data=kept).code == 0
    assert spencer("status", "--json", data=kept).json["search"] == "hnswlib graph"
    return kept


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: flip(data / "vectors.hnsw"),
        lambda data: truncated(data / "vectors.hnsw"),
        lambda data: (data / "vectors.hnsw").unlink(),
        lambda data: (data / "vectors.json").unlink(),
        lambda data: truncated(data / "vectors.json"),
        lambda data: (data / "vectors.json").write_text("[]"),
        lambda data: (data / "vectors.json").write_text("{}"),
        lambda data: (data / "vectors.json").write_bytes(b"\xff" * 100),
        lambda data: forge(data, b"hostile"),
    ],
    ids=["flipped", "cut", "gone", "no manifest", "half a manifest", "a list", "empty", "no text", "forged"],
)
def test_a_damaged_graph_changes_no_answer(graph: Path, damage: Callable[[Path], object]) -> None:
    def answers() -> tuple[list[tuple[str, int]], list[float]]:
        hits = spencer("search", DAY, "--mode", "semantic", "--json", data=graph).json["hits"]
        return [(hit["path"], hit["start_line"]) for hit in hits], [hit["score"] for hit in hits]

    places, scores = answers()
    # Graph and exact search round the last bit of a cosine differently; the order must not tell.
    before = (places, pytest.approx(scores, abs=1e-5))
    damage(graph)
    assert spencer("status", "--json", data=graph).json["search"] == "exact"
    assert answers() == before
    report = spencer("index", "--json", data=graph)
    assert (report.code, report.json["encoded"]) == (0, 0)
    assert spencer("status", "--json", data=graph).json["search"] == "hnswlib graph"
    assert answers() == before


def test_removing_a_repository_takes_its_vectors_out_of_the_graph(graph: Path, tmp_path: Path) -> None:
    other = write_tree(tmp_path / "other", {"secret.py": "def secret():\n    return 'hidden'\n"})
    assert spencer("index", other, data=graph).code == 0
    assert spencer("remove", other, data=graph).code == 0
    manifest = json.loads((graph / "vectors.json").read_text())
    assert manifest["dead"] == [], "a vector that is only marked as dead is still there to be read"
    assert spencer("status", "--json", data=graph).json["search"] == "hnswlib graph"


def forge(data: Path, content: bytes) -> None:
    """A graph that agrees with its manifest and that hnswlib cannot read."""
    (data / "vectors.hnsw").write_bytes(content)
    manifest = json.loads((data / "vectors.json").read_text())
    manifest |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (data / "vectors.json").write_text(json.dumps(manifest))


def test_exact_search_agrees_with_the_stored_vectors(kept: Path, models: PackedFakes) -> None:
    rows = sql(kept, "SELECT content_id, data FROM vector ORDER BY content_id")
    matrix = np.stack([np.frombuffer(row, np.float16) for _, row in rows]).astype(np.float32)
    question = models.query_encoder.encode([DAY])[0]
    with Index(kept, "fake", DIMENSION, writable=False) as reader:
        ids, cosines = reader.nearest(question, 3)
    order = np.argsort(-(matrix @ question), kind="stable")[:3]
    assert ids.tolist() == [rows[i][0] for i in order]
    np.testing.assert_allclose(cosines, (matrix @ question)[order], rtol=1e-5)

"""Settings: defaults, the file, the environment, the command line; and what is wrong said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.resources import resource_dir
from spencer_desktop.core.settings import DATA_DIR_VARIABLE, Settings, config_file, declared, load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def refusal(file: Path, text: str) -> UserError:
    file.write_text(text, "utf-8")
    with pytest.raises(UserError) as caught:
        load_settings(file=file)
    assert str(file) in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_without_a_file_all_is_default(file: Path, user_home: Path) -> None:
    settings = load_settings(file=file)
    assert settings == Settings(settings.data_dir, resource_dir() / "models/default")
    assert settings.data_dir.is_absolute()
    assert settings.data_dir.is_relative_to(user_home)


def test_the_file_is_in_the_users_config_folder(user_home: Path) -> None:
    path = config_file()
    assert path.is_relative_to(user_home)
    path.parent.mkdir(parents=True)
    path.write_text('device = "cpu"\n', "utf-8")
    assert load_settings().device == "cpu"


def test_every_setting_can_be_set(file: Path) -> None:
    file.write_text(
        'device = "cpu"\nthreads = 3\nmax_file_mib = 7\ninclude_vendored = true\ninclude_generated = true\n'
        'parse_seconds = 9\ncandidates = 50\npack = "~/my pack"\n',
        "utf-8",
    )
    settings = load_settings(file=file)
    given = {f.name: getattr(settings, f.name) for f in declared()}
    assert list(given.values()) == ["cpu", 3, 7, True, True, 9, 50]
    assert all(given[f.name] != f.default for f in declared())
    assert settings.pack_dir == Path.home() / "my pack"


def test_every_setting_is_explained() -> None:
    assert all(f.metadata["help"].endswith(".") for f in declared())


def test_the_data_folder_from_the_environment_and_the_command_line(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "environment"))
    assert load_settings(file=file).data_dir == tmp_path / "environment"
    assert load_settings(file=file, data_dir=tmp_path / "line").data_dir == tmp_path / "line"
    monkeypatch.setenv(DATA_DIR_VARIABLE, "")
    assert load_settings(file=file).data_dir != Path.cwd()


def test_a_data_folder_is_made_absolute(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(file=file, data_dir=Path("here")).data_dir == tmp_path / "here"
    assert load_settings(file=file, data_dir=Path("~/there")).data_dir == Path.home() / "there"


@pytest.mark.parametrize("name", ["~no such user/x", "folder\udcff", "folder\0"])
def test_a_folder_that_has_no_usable_name(file: Path, name: str) -> None:
    with pytest.raises(UserError, match="data folder") as caught:
        load_settings(file=file, data_dir=Path(name))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["~no such user/x", "pack\\u0000"])
def test_a_pack_that_has_no_usable_name(file: Path, name: str) -> None:
    file.write_text(f'pack = "{name}"\n', "utf-8")
    with pytest.raises(UserError, match="model pack") as caught:
        load_settings(file=file)
    assert caught.value.hint


def test_an_unknown_name(file: Path) -> None:
    error = refusal(file, "treads = 3")
    assert "there is no setting 'treads'" in str(error)
    assert "threads" in error.hint
    assert "pack" in error.hint


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('device = "tpu"', "'auto' or 'cpu' or 'cuda'"),
        ("device = 3", "'auto' or 'cpu' or 'cuda'"),
        ('threads = "3"', "a whole number, 0 or more"),
        ("threads = 3.0", "a whole number, 0 or more"),
        ("threads = true", "a whole number, 0 or more"),
        ("threads = -1", "0 or more"),
        ("include_vendored = 1", "true or false"),
        ("candidates = [1]", "a whole number, 0 or more"),
        ("pack = 3", "pack = 3 is not a text"),
    ],
)
def test_a_wrong_value(file: Path, line: str, words: str) -> None:
    assert words in str(refusal(file, line))


@pytest.mark.parametrize("text", ["threads", "threads = 1\nthreads = 2", "[", "a = \x00"])
def test_a_file_that_is_no_toml(file: Path, text: str) -> None:
    assert "cannot be read" in str(refusal(file, text))


def test_a_file_that_is_no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        load_settings(file=file)


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_settings(file=tmp_path)

"""Settings: defaults, the file, the environment, the command line; and what is wrong said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from spencer_desktop.core.errors import EnvironmentFault, UserError
from spencer_desktop.core.resources import resource_dir
from spencer_desktop.core.settings import (
    DATA_DIR_VARIABLE,
    GROUPS,
    Settings,
    config_file,
    declared,
    load_settings,
)
from spencer_desktop.core.settings_file import save_settings


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
        "max_file_mib = 7\ninclude_vendored = true\ninclude_generated = true\nparse_seconds = 9\n"
        'exclude = "*.tmp old/"\npause_on_battery = true\npause_under_load = 50\n'
        'mode = "regex"\nresults = 5\ncandidates = 50\ndevice = "cpu"\nthreads = 3\npack = "~/my pack"\n'
        'editor = "vim"\neditor_command = "ed {path}"\ntheme = "dark"\ncode_font = "Fira Code"\n'
        'code_font_size = 12\nlanguage = "de"\ntray = true\n',
        "utf-8",
    )
    settings = load_settings(file=file)
    given = {f.name: getattr(settings, f.name) for f in declared()}
    assert list(given.values())[:7] == [7, True, True, "*.tmp old/", True, 50, 9]
    assert list(given.values())[7:12] == ["regex", 5, 50, "cpu", 3]
    assert list(given.values())[12:] == ["vim", "ed {path}", "dark", "Fira Code", 12, "de", True]
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
        ('threads = "3"', "a whole number from 0"),
        ("threads = 3.0", "a whole number from 0"),
        ("threads = true", "a whole number from 0"),
        ("threads = -1", "a whole number from 0"),
        ("results = 1001", "a whole number from 1 to 1000"),
        ("code_font = 3", "a text"),
        ("include_vendored = 1", "true or false"),
        ("candidates = [1]", "a whole number from 0"),
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


def test_what_is_saved_is_loaded_and_the_rest_of_the_file_stays(file: Path) -> None:
    file.write_text('# mine\nthreads = 3 # three\npack = "/p"\ntheme = "dark"\n', "utf-8")
    save_settings({"theme": "system", "results": 7, "editor_command": 'ed "{path}"\\'}, file=file)
    settings = load_settings(file=file)
    assert (settings.theme, settings.results, settings.threads) == ("system", 7, 3)
    assert settings.editor_command == 'ed "{path}"\\'
    text = file.read_text("utf-8")
    assert text.startswith('# mine\nthreads = 3 # three\npack = "/p"\n')
    assert "theme" not in text


def test_a_file_is_made_where_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "new" / "settings.toml"
    save_settings({"tray": True}, file=file)
    assert load_settings(file=file).tray
    assert [path.name for path in file.parent.iterdir()] == ["settings.toml"]


def test_what_cannot_be_saved(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="results"):
        save_settings({"results": 0}, file=file)
    assert not file.exists()
    file.write_text("[", "utf-8")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        save_settings({"results": 5}, file=file)
    assert file.read_text("utf-8") == "["


def test_every_setting_has_its_group() -> None:
    assert {f.metadata["group"] for f in declared()} == set(GROUPS)

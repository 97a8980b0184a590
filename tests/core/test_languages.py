from __future__ import annotations

import pytest

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.languages import LANGUAGES, canonical_language, language_of

WITH_GRAMMAR = (
    "python java javascript typescript tsx go rust c cpp csharp ruby php kotlin swift scala bash lua haskell elixir zig"
)


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("src/app.py", "python"),
        ("stubs/app.pyi", "python"),
        ("Main.java", "java"),
        ("a.mjs", "javascript"),
        ("a.jsx", "javascript"),
        ("lib.d.ts", "typescript"),
        ("App.tsx", "tsx"),
        ("main.go", "go"),
        ("lib.rs", "rust"),
        ("x.hpp", "cpp"),
        ("old.C", "cpp"),
        ("Program.cs", "csharp"),
        ("Rakefile", "ruby"),
        ("index.php", "php"),
        ("build.gradle.kts", "kotlin"),
        ("App.swift", "swift"),
        ("build.sbt", "scala"),
        ("run.bats", "bash"),
        ("init.lua", "lua"),
        ("Main.hs", "haskell"),
        ("mix.exs", "elixir"),
        ("build.zig", "zig"),
        ("README.md", "markdown"),
        ("UPPER.PY", "python"),
        ("Dockerfile", "dockerfile"),
        ("docker/Dockerfile.dev", "dockerfile"),
        ("GNUmakefile", "makefile"),
        ("Makefile.linux", "makefile"),
        ("CMakeLists.txt", "cmake"),
        ("pyproject.toml", "toml"),
        ("poetry.lock", "toml"),
        (".bashrc", "bash"),
        ("tools/BUILD", "starlark"),
        ("tools/build", "text"),
        ("LICENSE", "text"),
        ("notes.txt", "text"),
        ("dir.py/notes", "text"),
        ("odd\udcff\n.rb", "ruby"),
        ("", "text"),
    ],
)
def test_the_name_tells_the_language(path: str, language: str) -> None:
    assert language_of(path) == language


@pytest.mark.parametrize(
    ("path", "head", "language"),
    [
        ("x.h", b"#include <stdio.h>\nint add(int a, int b);\n", "c"),
        ("x.h", b"/* see std::vector */\nint add(int a, int b);\n", "c"),
        ("x.h", b"#pragma once\n#include <vector>\n", "cpp"),
        ("x.h", b"template <typename T>\nstruct Box;\n", "cpp"),
        ("x.h", b"enum class Colour { Red };\n", "cpp"),
        ("x.h", b"#import <Foundation/Foundation.h>\n@interface Box\n@end\n", "objectivec"),
        ("translations.ts", b'<?xml version="1.0"?>\n<!DOCTYPE TS>\n', "xml"),
        ("plot.m", b"function y = plot(x)\n% Draws.\n", "matlab"),
        ("tool", b"#!/bin/sh\n", "bash"),
        ("tool", b"#!/usr/bin/env python3.11\n", "python"),
        ("tool", b"#!/usr/bin/env -S node --harmony\n", "javascript"),
        ("tool", b"#! /usr/local/bin/perl -w\n", "perl"),
        ("tool", b"#!/usr/bin/env LANG=C ruby\n", "ruby"),
        ("tool", b"#!/opt/unknown\n", "text"),
        ("tool", b"<?php\n", "php"),
        ("feed", b"\xef\xbb\xbf<?xml version='1.0'?>", "xml"),
        ("tool.py", b"#!/bin/sh\n", "python"),
    ],
)
def test_the_first_bytes_settle_what_the_name_leaves_open(path: str, head: bytes, language: str) -> None:
    assert language_of(path, head) == language


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("py", "python"),
        ("Python", "python"),
        ("C++", "cpp"),
        ("c#", "csharp"),
        ("ts", "typescript"),
        ("js", "javascript"),
        ("golang", "go"),
        ("sh", "bash"),
        ("shell", "bash"),
        ("kt", "kotlin"),
        ("rs", "rust"),
        (" .rb ", "ruby"),
        ("hs", "haskell"),
        ("yml", "yaml"),
        ("txt", "text"),
    ],
)
def test_people_may_say_it_their_way(name: str, language: str) -> None:
    assert canonical_language(name) == language


def test_every_known_name_is_its_own_canonical_name() -> None:
    assert set(WITH_GRAMMAR.split()) < LANGUAGES
    assert {canonical_language(language) for language in LANGUAGES} == LANGUAGES


def test_an_unknown_language_is_the_users_error_with_near_matches() -> None:
    with pytest.raises(UserError, match="Unknown language 'pyhton'") as raised:
        canonical_language("pyhton")
    assert "python" in raised.value.hint


def test_a_language_like_no_other_gets_the_whole_list() -> None:
    with pytest.raises(UserError) as raised:
        canonical_language("☃☃☃☃")
    assert "haskell" in raised.value.hint

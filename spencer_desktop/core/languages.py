"""Which language a file is written in, from its name, its extension and its first bytes."""

from __future__ import annotations

import difflib
import re

from spencer_desktop.core.errors import UserError

TEXT = "text"

# Language → its extensions, lower case, without the dot. The first language to claim an extension keeps it.
_EXTENSIONS: dict[str, str] = {
    "python": "py pyi pyw",
    "java": "java",
    "javascript": "js jsx mjs cjs es6",
    "typescript": "ts mts cts",
    "tsx": "tsx",
    "go": "go",
    "rust": "rs",
    "c": "c h",
    "cpp": "cpp cc cxx c++ hpp hh hxx h++ ipp tpp inl ixx cppm ino",
    "csharp": "cs csx",
    "ruby": "rb rake gemspec ru podspec rbi",
    "php": "php php3 php4 php5 php7 phtml",
    "kotlin": "kt kts",
    "swift": "swift",
    "scala": "scala sc sbt",
    "bash": "sh bash zsh ksh bats ebuild",
    "lua": "lua rockspec luau",
    "haskell": "hs hs-boot hsc",
    "elixir": "ex exs",
    "zig": "zig zon",
    "ada": "adb ads",
    "asciidoc": "adoc asciidoc",
    "assembly": "s asm",
    "awk": "awk",
    "batch": "bat cmd",
    "clojure": "clj cljs cljc edn",
    "cmake": "cmake",
    "coffeescript": "coffee",
    "commonlisp": "lisp lsp cl asd",
    "crystal": "cr",
    "css": "css",
    "csv": "csv tsv",
    "cuda": "cu cuh",
    "cython": "pyx pxd pxi",
    "d": "d",
    "dart": "dart",
    "diff": "diff patch",
    "dockerfile": "dockerfile containerfile",
    "elm": "elm",
    "emacslisp": "el",
    "erlang": "erl hrl",
    "fish": "fish",
    "fortran": "f f77 f90 f95 f03 f08 for",
    "fsharp": "fs fsi fsx",
    "glsl": "glsl vert frag geom comp tesc tese",
    "graphql": "graphql gql",
    "groovy": "groovy gradle",
    "hcl": "tf tfvars hcl",
    "hlsl": "hlsl",
    "html": "html htm xhtml",
    "ini": "ini cfg conf properties editorconfig",
    "jinja": "j2 jinja jinja2",
    "json": "json jsonc json5 jsonl ndjson geojson webmanifest ipynb",
    "julia": "jl",
    "less": "less",
    "makefile": "mk mak",
    "markdown": "md markdown mdown mkd mdx rmd qmd",
    "matlab": "matlab",
    "meson": "meson",
    "nim": "nim nims",
    "nix": "nix",
    "objectivec": "m mm",
    "ocaml": "ml mli mll mly",
    "pascal": "pas pp dpr lpr",
    "perl": "pl pm pod",
    "powershell": "ps1 psm1 psd1",
    "prolog": "prolog",
    "proto": "proto",
    "qml": "qml",
    "r": "r",
    "racket": "rkt",
    "rst": "rst",
    "scheme": "scm ss",
    "scss": "scss sass",
    "solidity": "sol",
    "sql": "sql psql ddl dml",
    "starlark": "bzl star bazel",
    "svelte": "svelte",
    "systemverilog": "sv svh",
    "tcl": "tcl",
    "tex": "tex sty cls bib",
    "thrift": "thrift",
    "toml": "toml",
    "verilog": "v vh",
    "vhdl": "vhd vhdl",
    "vim": "vim",
    "visualbasic": "vb bas vbs",
    "vue": "vue",
    "wgsl": "wgsl",
    "xml": "xml xsd xsl xslt svg plist csproj fsproj vcxproj props targets xaml ui qrc",
    "yaml": "yaml yml",
}

# In lower case, these match any case; "BUILD" in capitals means Bazel's, a file named "build" may be anything.
_FILE_NAMES: dict[str, str] = {
    "bash": ".bashrc .bash_profile .bash_aliases .profile .zshrc .zshenv .zprofile .envrc pkgbuild apkbuild",
    "cmake": "cmakelists.txt",
    "dockerfile": "dockerfile containerfile",
    "emacslisp": ".emacs",
    "go": "go.mod go.work",
    "groovy": "jenkinsfile",
    "ini": ".gitconfig .gitmodules .npmrc .pylintrc .flake8 .coveragerc pip.conf",
    "json": ".prettierrc .eslintrc .babelrc composer.lock pipfile.lock flake.lock",
    "makefile": "makefile gnumakefile makefile.am makefile.in bsdmakefile kbuild",
    "meson": "meson.build meson_options.txt",
    "perl": "makefile.pl cpanfile",
    "python": "sconstruct sconscript wscript snakefile",
    "r": ".rprofile",
    "ruby": "rakefile gemfile podfile vagrantfile brewfile guardfile capfile fastfile appfile .irbrc .pryrc",
    "starlark": "BUILD WORKSPACE BUCK tiltfile",
    "text": "requirements.txt go.sum",
    "toml": "pipfile cargo.lock poetry.lock uv.lock",
    "elixir": "mix.lock",
    "vim": ".vimrc _vimrc .gvimrc",
    "yaml": ".clang-format .clang-tidy .clangd",
}

_INTERPRETERS: dict[str, str] = {
    "awk": "awk",
    "gawk": "awk",
    "ash": "bash",
    "bash": "bash",
    "dash": "bash",
    "ksh": "bash",
    "mksh": "bash",
    "sh": "bash",
    "zsh": "bash",
    "bats": "bash",
    "fish": "fish",
    "bun": "javascript",
    "deno": "typescript",
    "elixir": "elixir",
    "escript": "erlang",
    "groovy": "groovy",
    "julia": "julia",
    "jruby": "ruby",
    "kotlin": "kotlin",
    "lua": "lua",
    "luajit": "lua",
    "make": "makefile",
    "node": "javascript",
    "nodejs": "javascript",
    "perl": "perl",
    "php": "php",
    "pwsh": "powershell",
    "pypy": "python",
    "python": "python",
    "rscript": "r",
    "ruby": "ruby",
    "runghc": "haskell",
    "runhaskell": "haskell",
    "scala": "scala",
    "swift": "swift",
    "tclsh": "tcl",
    "ts-node": "typescript",
    "tsx": "typescript",
    "wish": "tcl",
}

_ALIASES: dict[str, str] = {
    "c#": "csharp",
    "c++": "cpp",
    "containerfile": "dockerfile",
    "cxx": "cpp",
    "docker": "dockerfile",
    "elisp": "emacslisp",
    "f#": "fsharp",
    "golang": "go",
    "lisp": "commonlisp",
    "make": "makefile",
    "node": "javascript",
    "nodejs": "javascript",
    "objc": "objectivec",
    "objective-c": "objectivec",
    "plain": "text",
    "plaintext": "text",
    "protobuf": "proto",
    "python3": "python",
    "restructuredtext": "rst",
    "shell": "bash",
    "terraform": "hcl",
    "txt": "text",
    "typescriptreact": "tsx",
    "javascriptreact": "javascript",
}

LANGUAGES: frozenset[str] = frozenset(_EXTENSIONS) | {TEXT}

_BY_EXTENSION = {ext: language for language in reversed(_EXTENSIONS) for ext in _EXTENSIONS[language].split()}
_BY_FILE_NAME = {name: language for language, names in _FILE_NAMES.items() for name in names.split()}

_SHEBANG = re.compile(rb"#![ \t]*(?:\S*/)?(?:env[ \t]+(?:-\S+[ \t]+|\w+=\S*[ \t]+)*(?:\S*/)?)?([A-Za-z][\w+-]*)")
_CPLUSPLUS = re.compile(
    rb"^[ \t]*(?:(?:enum[ \t]+)?class[ \t]+\w|namespace\b|template[ \t]*<|using[ \t]+\w"
    rb"|(?:public|private|protected)[ \t]*:|#[ \t]*include[ \t]*<\w+>)|\b\w+::\w"
    rb"|\b(?:constexpr|nullptr|noexcept|typename)\b",
    re.MULTILINE,
)
_C_COMMENT = re.compile(rb"/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)
_OBJECTIVE_C = re.compile(
    rb"^[ \t]*(?:#[ \t]*import\b|@(?:interface|implementation|protocol|class|import)\b)", re.MULTILINE
)


def language_of(path: str, head: bytes = b"") -> str:
    """The language of a file: its special name, then its extension, then the shebang or prologue in `head`.

    `path` is "/"-separated and need not exist; `head` are the file's first bytes (a few KiB are plenty), used where the
    name leaves a doubt. Always one of `LANGUAGES`; "text" when nothing tells.
    """
    name = path.rpartition("/")[2]
    lower = name.lower()
    if special := _BY_FILE_NAME.get(name) or _BY_FILE_NAME.get(lower):
        return special
    stem, dot, extension = lower.rpartition(".")
    if dot and extension in _BY_EXTENSION:
        # By convention of compilers, a capital letter means C++.
        return "cpp" if name.endswith((".C", ".H")) else _settle(extension, _BY_EXTENSION[extension], head)
    if stem.partition(".")[0] in {"dockerfile", "containerfile", "makefile"}:
        return _BY_FILE_NAME[stem.partition(".")[0]]
    return _from_head(head)


def extension_of(language: str) -> str:
    """The usual extension of one of `LANGUAGES`, without the dot."""
    return _EXTENSIONS.get(language, "txt").partition(" ")[0]


def canonical_language(name: str) -> str:
    """The known language a person means by `name` ("C++", "py", "golang"). Raises UserError that lists near matches."""
    wanted = name.strip().lower()
    if wanted in LANGUAGES:
        return wanted
    if found := _ALIASES.get(wanted) or _BY_EXTENSION.get(wanted.lstrip(".")):
        return found
    near = difflib.get_close_matches(wanted, [*LANGUAGES, *_ALIASES], n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known languages: {', '.join(sorted(LANGUAGES))}."
    raise UserError(f"Unknown language {name!r}.", hint=hint)


def _settle(extension: str, language: str, head: bytes) -> str:
    """Several languages share an extension; the first bytes tell them apart."""
    if extension == "h":
        code = _C_COMMENT.sub(b"", head)
        if _OBJECTIVE_C.search(code):
            return "objectivec"
        return "cpp" if _CPLUSPLUS.search(code) else "c"
    if extension == "ts" and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<?xml", b"<!DOCTYPE TS")):
        return "xml"
    if extension == "m" and head and not _OBJECTIVE_C.search(head) and re.search(rb"^\s*(?:%|function\b)", head, re.M):
        return "matlab"
    return language


def _from_head(head: bytes) -> str:
    if shebang := _SHEBANG.match(head):
        interpreter = shebang[1].decode("ascii").lower()
        # "python3.11" and "lua5.4" carry a version; the pattern stops at the dot.
        return _INTERPRETERS.get(interpreter) or _INTERPRETERS.get(interpreter.rstrip("0123456789-"), TEXT)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<?php"):
        return "php"
    return "xml" if start.startswith(b"<?xml") else TEXT

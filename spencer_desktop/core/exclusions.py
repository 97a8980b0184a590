"""What is left out although no ignore file says so: version control data, third-party code, build output, caches,
generated and minified text, binaries, data and secrets.

Each function answers with the reason, in words for the user, or "" to keep. A folder's name alone condemns it only
where the name has one meaning (`node_modules`); `build`, `dist`, `target` or `vendor` may be somebody's source, so they
need evidence: the manifest of the tool that makes them beside them, or its traces inside.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from fnmatch import fnmatchcase

VERSION_CONTROL = "version control data"
DEPENDENCIES = "third-party code"
BUILD_OUTPUT = "build output"
CACHE = "cache"
GENERATED = "generated"
LOCK_FILE = "lock file of a package manager"
MINIFIED = "minified"
SOURCE_MAP = "source map"
BINARY = "binary"
DATA = "data"
SECRET = "may hold secrets"
PRIVATE_KEY = "holds a private key"
LFS_POINTER = "Git LFS pointer"

_VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".bzr", ".jj", ".pijul", "_darcs", "CVS", ".fslckout"})

_FOLDERS = {
    DEPENDENCIES: "node_modules bower_components jspm_packages site-packages dist-packages third_party third-party"
    " thirdparty 3rdparty _vendor __pypackages__ .venv .pnpm-store .yarn .bundle Pods Carthage Godeps elm-stuff .eggs"
    " .terraform",
    BUILD_OUTPUT: ".next .nuxt .svelte-kit .angular .docusaurus .dart_tool .stack-work dist-newstyle DerivedData"
    " .zig-cache zig-cache _deps htmlcov .nyc_output",
    CACHE: "__pycache__ .mypy_cache .pytest_cache .ruff_cache .hypothesis .tox .nox .gradle .cache .parcel-cache .turbo"
    " .sass-cache .ipynb_checkpoints .ccls-cache",
    "editor settings": ".idea .vs",
}
_FOLDER_REASONS = {name: reason for reason, names in _FOLDERS.items() for name in names.split()}

# Folder → (reason, patterns of names beside it, any of which is evidence enough).
_BESIDE = {
    "vendor": (DEPENDENCIES, ".git go.mod go.work composer.json Gemfile Cargo.toml package.json Package.swift"),
    "deps": (DEPENDENCIES, "mix.exs rebar.config"),
    "target": (BUILD_OUTPUT, "Cargo.toml pom.xml build.sbt build.properties project.clj deps.edn"),
    "build": (BUILD_OUTPUT, "build.gradle build.gradle.kts settings.gradle settings.gradle.kts pubspec.yaml"),
    "dist": (BUILD_OUTPUT, "package.json pyproject.toml setup.py setup.cfg"),
    "_build": (BUILD_OUTPUT, "mix.exs rebar.config dune-project conf.py"),
    ".build": (BUILD_OUTPUT, "Package.swift"),
    "zig-out": (BUILD_OUTPUT, "build.zig"),
    "bin": (BUILD_OUTPUT, "*.csproj *.fsproj *.vbproj"),
    "obj": (BUILD_OUTPUT, "*.csproj *.fsproj *.vbproj"),
}

# Name inside a folder → what the folder is.
_INSIDE = {
    "pyvenv.cfg": DEPENDENCIES,
    "conda-meta": DEPENDENCIES,
    "CACHEDIR.TAG": CACHE,
    "CMakeCache.txt": BUILD_OUTPUT,
    ".ninja_log": BUILD_OUTPUT,
    "asset-manifest.json": BUILD_OUTPUT,
    "lcov-report": BUILD_OUTPUT,
}
_INSIDE_VENDOR = frozenset({"modules.txt", "autoload.php", "bundle"})
# What setuptools leaves in `build`, and in no other folder.
_SETUPTOOLS = re.compile(r"bdist\.|(?:lib|temp)\.(?:linux|macosx|win|cygwin|freebsd)")

_LOCK_FILES = frozenset(
    "package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock poetry.lock uv.lock"
    " pdm.lock Pipfile.lock Cargo.lock composer.lock Gemfile.lock go.sum go.work.sum mix.lock pubspec.lock flake.lock"
    " Podfile.lock Cartfile.resolved Package.resolved packages.lock.json gradle.lockfile conan.lock MODULE.bazel.lock"
    " stack.yaml.lock cabal.project.freeze".split()
)
_GENERATED_NAME = re.compile(
    r".*(?:\.pb\.(?:go|cc|h|swift|dart)|\.pb\.gw\.go|_pb2(?:_grpc)?\.pyi?|_pb\.(?:js|d\.ts|rb)|_grpc_pb\.js"
    r"|\.(?:g|freezed|gr|chopper)\.dart|\.(?:g|g\.i|Designer|designer|generated)\.cs|\.bundle\.(?:js|css)"
    r"|\.generated\.\w+|_generated\.(?:go|rs|h)|-bundle\.js)|zz_generated.*\.go|bindata\.go|y\.tab\.[ch]|lex\.yy\.c"
)
_MINIFIED_NAME = re.compile(r".*[.-]min\.(?:js|mjs|cjs|css|html)", re.IGNORECASE)
_SOURCE_MAP_NAME = re.compile(r".*\.(?:js|mjs|cjs|css|ts)\.map", re.IGNORECASE)

# A name with the extension of a program (`credentials.py`, `secrets.go`) is source code, so none is listed.
_SECRET_NAME = re.compile(
    r"\.env(?:\..*)?|.*\.env|\.envrc|_?\.?netrc|\.npmrc|\.pypirc|\.pgpass|\.htpasswd|\.dockercfg|\.git-credentials"
    r"|.*\.(?:pem|key|p12|pfx|p8|pkcs12|jks|keystore|kdbx?|ppk|tfstate|ovpn)|.*\.tfstate\.backup"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)(?:[_-][^.]*)?(?:\.(?:pub|bak|old|txt))?|(?:client_secret|service[_-]?account).*\.json"
    r"|(?:.*[._-])?(?:credentials?|secrets?)(?:\.(?:json|ya?ml|toml|ini|cfg|conf|properties|xml|txt|csv|enc|bak))?",
    re.IGNORECASE,
)
_HARMLESS_SECRET_NAME = re.compile(r".*\.(?:example|sample|template|dist|tmpl)", re.IGNORECASE)

_DATA_EXTENSIONS = {
    DATA: "csv tsv psv jsonl ndjson geojson parquet arrow feather avro orc log dat",
    "image": "svg png jpg jpeg gif bmp tif tiff webp ico icns heic avif psd ai eps xcf drawio",
    "notebook": "ipynb",
    "media": "mp3 mp4 m4a m4v wav flac ogg oga ogv opus avi mov mkv webm wmv aac mid",
    "font": "ttf otf woff woff2 eot",
    "archive": "zip gz tgz bz2 xz zst lz4 7z rar tar jar war ear whl egg apk aab ipa deb rpm dmg iso cab nupkg gem"
    " crate",
    "document": "pdf doc docx xls xlsx ppt pptx odt ods odp epub mobi",
    "model weights": "onnx pt pth ckpt safetensors gguf ggml h5 hdf5 pb tflite npy npz pickle joblib mlmodel",
    "database": "sqlite sqlite3 db mdb dbf rdb",
    BINARY: "exe dll so dylib a o obj lib pdb ilk class pyc pyo pyd wasm bin elf hex dex beam hi dsym node nib"
    " rlib rmeta swp gmo ttc idx pack cur ani blend fbx glb 3ds stl",
}
_DATA_REASONS = {extension: reason for reason, names in _DATA_EXTENSIONS.items() for extension in names.split()}

# Text of these kinds is written by people while it is small, and dumped by programs when it is not.
_DUMP_EXTENSIONS = frozenset("json xml yaml yml sql html htm txt plist po pot lst dic".split())

_HEAD_CHARS = 2_500
_KEY_CHARS = 1_024
_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")

# What a tool says of the file it wrote, at the beginning of a line of its head. Text that merely speaks about generated
# code says it elsewhere in a sentence, or in a string.
_COMMENT = re.compile(r"[ \t]*(//+|/?\*+|#+|--+|;+|%+|<!--|\(\*|\{-|\"\"\"|''')?[ \t!*-]*")
_AT_GENERATED = re.compile(r"(?<!\S)@generated(?=[ \t]+(?:by|from|SignedSource)\b|[ \t.,;]*(?:$|\*/|-->))")
_GENERATED_LINE = re.compile(
    r"Code generated\b.*\bDO NOT EDIT"
    r"|(?:auto-?|automatically )generated (?:by|from|file|code)\b"
    r"|This (?:file|code) (?:is|was|has been) (?:auto-?|automatically )generated\b"
    r"|<auto-?generated",
    re.IGNORECASE,
)
# Said of hand-written files too ("generated from the grammar by hand"), unless the reader is also asked to keep off.
_GENERATED_BY = re.compile(
    r"This (?:file|code) (?:is|was|has been) generated\b|generated (?:by|from|with|content|file|code)\b", re.IGNORECASE
)
_DO_NOT_EDIT = re.compile(r"\bdo not (?:edit|modify|change)\b", re.IGNORECASE)
# How far behind "generated by" the request not to edit may stand.
_NEAR_CHARS = 400

_MINIFIED_EXTENSIONS = (".js", ".mjs", ".cjs", ".jsx", ".css", ".json", ".html", ".htm")
_MINIFIED_CHARS = 2_000
# Linguist takes 110; tables of data and long prose lines in hand-written files stay below 200.
_MINIFIED_LINE = 200


def is_version_control(name: str) -> bool:
    """Whether a file or folder of this name belongs to a version control system."""
    return name in _VERSION_CONTROL


def folder_reason(name: str, siblings: Collection[str]) -> str:
    """Why a folder is left out, judged by its name and by the names beside it."""
    if reason := _FOLDER_REASONS.get(name):
        return reason
    if name.endswith((".egg-info", ".dist-info", ".xcassets")):
        return DATA
    reason, markers = _BESIDE.get(name, ("", ""))
    return reason if any(_present(marker, siblings) for marker in markers.split()) else ""


def _present(marker: str, names: Collection[str]) -> bool:
    return marker in names if "*" not in marker else any(fnmatchcase(name, marker) for name in names)


def content_of_folder_reason(name: str, inside: Collection[str]) -> str:
    """Why a folder is left out, judged by the names inside it."""
    if name == "vendor" and not _INSIDE_VENDOR.isdisjoint(inside):
        return DEPENDENCIES
    if name == "build" and any(map(_SETUPTOOLS.match, inside)):
        return BUILD_OUTPUT
    return next((reason for marker, reason in _INSIDE.items() if marker in inside), "")


def generated_name_reason(name: str) -> str:
    """Why a file is left out as made by a tool, judged by its name."""
    if name in _LOCK_FILES:
        return LOCK_FILE
    if _MINIFIED_NAME.fullmatch(name):
        return MINIFIED
    if _SOURCE_MAP_NAME.fullmatch(name):
        return SOURCE_MAP
    return GENERATED if _GENERATED_NAME.fullmatch(name) else ""


def secret_name_reason(name: str) -> str:
    """Why a file is left out as a likely secret, judged by its name."""
    return SECRET if _SECRET_NAME.fullmatch(name) and not _HARMLESS_SECRET_NAME.fullmatch(name) else ""


def data_name_reason(name: str) -> str:
    """Why a file is left out as no text written by people, judged by its extension."""
    return _DATA_REASONS.get(name.rpartition(".")[2].lower(), "") if "." in name else ""


def dump_reason(name: str, size: int, max_bytes: int) -> str:
    """Why a file is left out as a dump of data, judged by its extension and its size."""
    return DATA if size > max_bytes and name.rpartition(".")[2].lower() in _DUMP_EXTENSIONS else ""


def generated_text_reason(name: str, text: str) -> str:
    """Why a file is left out as made by a tool, judged by its text."""
    if _says_generated(text[:_HEAD_CHARS]):
        return GENERATED
    if name.lower().endswith(_MINIFIED_EXTENSIONS) and len(text) >= _MINIFIED_CHARS:
        return MINIFIED if len(text) > _MINIFIED_LINE * (text.count("\n") + 1) else ""
    return ""


def _says_generated(head: str) -> bool:
    if "generated" not in head.lower():
        return False
    at = 0
    for line in head.splitlines(keepends=True):
        comment = _COMMENT.match(line)
        body = line[comment.end() :] if comment else line
        if _GENERATED_LINE.match(body):
            return True
        if comment and comment[1] and _AT_GENERATED.search(body.rstrip()):
            return True
        if _GENERATED_BY.match(body) and _DO_NOT_EDIT.search(head, at, at + _NEAR_CHARS):
            return True
        at += len(line)
    return False


def secret_text_reason(text: str) -> str:
    """Why a file is left out as a secret, judged by its text."""
    return PRIVATE_KEY if _PRIVATE_KEY.search(text, 0, _KEY_CHARS) else ""


def pointer_reason(text: str) -> str:
    """Why a file is left out as a stand-in for another one."""
    return LFS_POINTER if text.startswith("version https://git-lfs.github.com/spec/") else ""

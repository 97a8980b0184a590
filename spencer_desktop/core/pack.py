"""Read and verify a model pack: a folder with a manifest, a tokenizer and single-file ONNX graphs.

A pack is hostile until its bytes agree with its manifest. No byte of a tokenizer or a graph is parsed before its size
and SHA-256 have been checked, and graphs that keep weights in other files are refused. The manifest names its own
SHA-256, too, which says nothing of who made it, but that it is as it was made.
"""

from __future__ import annotations

import hashlib
import json
import math
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import Stage

FORMAT = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
CODE_ENCODER = "code_encoder.onnx"
QUERY_ENCODER = "query_encoder.onnx"
RERANKER = "reranker.onnx"

# Of the code encoder: what further training starts from. The application itself does not use them.
WEIGHTS = "model.safetensors"
CONFIG = "config.json"

_REQUIRED = (TOKENIZER, CODE_ENCODER, QUERY_ENCODER)
_KNOWN = (*_REQUIRED, RERANKER, WEIGHTS, CONFIG)
_MAX_MANIFEST_BYTES = 1 << 20
_MAX_FILE_BYTES = 1 << 31
_MAX_COUNT = 1 << 40
_MAX_NUMBER = 1e6
UNLIKELY = 0.2
"""Below this confidence an answer is shown with a warning."""
# The wire form of `StringStringEntryProto(key="location")`, without which an ONNX tensor cannot name an external file.
_EXTERNAL_DATA_MARK = b"\x0a\x08location"


@dataclass(frozen=True, slots=True)
class PackFile:
    """Size in bytes and SHA-256 (hex) of one file, as the manifest promises them."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class RerankDefaults:
    """How the application uses the re-ranker: the K best are ordered by `recall_scale` · cosine + logit."""

    candidates: int
    recall_scale: float
    default: bool


@dataclass(frozen=True, slots=True)
class ConfidenceCurve:
    """How likely one of the first `k` answers is right, by their scores: logistic in the best of them and in its lead.

    Its lead is how far the best stands above the mean of the others. Fitted on held-out questions half of which had no
    answer; so it takes for granted that every second question has one.
    """

    k: int
    best: float
    lead: float
    intercept: float

    def at(self, scores: Sequence[float]) -> float | None:
        """From 0 to 1, by the first `k` scores, in any order; None when there are fewer or one is NaN."""
        first = sorted(scores, reverse=True)[: self.k]
        if len(first) < self.k or any(map(math.isnan, scores)):
            return None
        lead = first[0] - sum(first[1:]) / (self.k - 1)
        exponent = self.best * first[0] + self.lead * lead + self.intercept
        # Bounded: beyond it a float is 0 or 1 anyway.
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, exponent))))


@dataclass(frozen=True, slots=True)
class Manifest:
    """`manifest.json`. `space_id` names the vector space: vectors of different spaces are never compared.

    `confidence` is by the cosines of the nearest codes (RECALL) and by what re-ranking orders by (RERANKED), where the
    pack says so.
    """

    name: str
    version: str
    space_id: str
    dimension: int
    max_query_tokens: int
    max_code_tokens: int
    max_pair_tokens: int
    query_prefix: str
    code_prefix: str
    rerank: RerankDefaults | None
    confidence: Mapping[Stage, ConfidenceCurve]
    files: Mapping[str, PackFile]
    licences: tuple[Mapping[str, str], ...]
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pack:
    """A folder whose manifest has been read; its files are verified when they are read."""

    directory: Path
    manifest: Manifest

    @property
    def has_reranker(self) -> bool:
        return RERANKER in self.manifest.files and self.manifest.rerank is not None

    def read(self, name: str) -> bytes:
        """The verified bytes of one file of the pack. Raises UserError when they are not what the manifest says."""
        expected = self.manifest.files[name]
        path = self.directory / name
        try:
            if path.stat().st_size != expected.size:
                raise _damaged(self.directory, f"{name} is not {expected.size} bytes long")
            data = path.read_bytes()
        except OSError as error:
            raise _damaged(self.directory, f"{name} cannot be read ({error.strerror})") from error
        if hashlib.sha256(data).hexdigest() != expected.sha256:
            raise _damaged(self.directory, f"{name} does not have the SHA-256 of the manifest")
        if name.endswith(".onnx") and _EXTERNAL_DATA_MARK in data:
            raise _damaged(self.directory, f"{name} keeps weights in other files")
        return data

    def verify(self) -> None:
        """Read every file once. Raises UserError for the first that is wrong."""
        for name in self.manifest.files:
            self.read(name)


def open_pack(directory: Path) -> Pack:
    """Read the manifest of a pack. Raises UserError when there is none or it is not one this program understands."""
    path = directory / MANIFEST
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _damaged(directory, "its manifest is not a plain file")
        if status.st_size > _MAX_MANIFEST_BYTES:
            raise _damaged(directory, "its manifest is larger than 1 MiB")
        raw = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(
            f"There is no model pack at {directory}", hint="Give the folder that holds manifest.json."
        ) from error
    except OSError as error:
        raise _damaged(directory, f"its manifest cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(directory, "its manifest is not JSON") from error
    return Pack(directory, _parse(directory, raw))


def manifest_sha256(manifest: Mapping[str, Any]) -> str:
    """The entry `sha256` of a manifest: of all others, in hex, whatever their order and however they are laid out."""
    entries = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(entries, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def _parse(directory: Path, raw: Any) -> Manifest:
    if not isinstance(raw, dict):
        raise _damaged(directory, "its manifest is not a JSON object")
    if raw.get("format") != FORMAT:
        raise UserError(
            f"The model pack at {directory} has format {raw.get('format')!r}; this program reads format {FORMAT}",
            hint="Install a pack made for this version, or a newer version of the program.",
        )
    if raw.get("sha256") != manifest_sha256(raw):
        raise _damaged(directory, "its manifest does not have the SHA-256 that it names")
    try:
        manifest = _manifest(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(directory, f"its manifest lacks or garbles {error}") from error
    _check_files(directory, manifest)
    return manifest


def _manifest(raw: dict[str, Any]) -> Manifest:
    rerank = raw.get("rerank")
    text = raw["text"]
    return Manifest(
        name=_string(raw["name"]),
        version=_string(raw["version"]),
        space_id=_string(raw["space_id"]),
        dimension=_count(raw["dimension"]),
        max_query_tokens=_count(raw["max_query_tokens"]),
        max_code_tokens=_count(raw["max_code_tokens"]),
        max_pair_tokens=_count(raw["max_pair_tokens"]),
        query_prefix=_string(text["query_prefix"]),
        code_prefix=_string(text["code_prefix"]),
        rerank=None
        if rerank is None
        else RerankDefaults(_count(rerank["candidates"]), _number(rerank["recall_scale"]), bool(rerank["default"])),
        confidence={Stage(name): _curve(curve) for name, curve in raw.get("confidence", {}).items()},
        files={
            _string(name): PackFile(_string(f["sha256"]), _count(f["size"])) for name, f in dict(raw["files"]).items()
        },
        licences=tuple({_string(k): _string(v) for k, v in entry.items()} for entry in raw["licences"]),
        figures=dict(raw.get("figures", {})),
    )


def _check_files(directory: Path, manifest: Manifest) -> None:
    for name in _REQUIRED:
        if name not in manifest.files:
            raise _damaged(directory, f"its manifest does not list {name}")
    for name, file in manifest.files.items():
        if name not in _KNOWN:
            raise _damaged(directory, f"its manifest lists an unknown file, {name!r}")
        if file.size > _MAX_FILE_BYTES:
            raise _damaged(directory, f"{name} would be larger than 2 GiB")
    if manifest.space_id != manifest.files[CODE_ENCODER].sha256:
        raise _damaged(directory, "its space_id is not the hash of its code encoder")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text (found {value!r})")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_COUNT:
        raise TypeError(f"a positive whole number (found {value!r})")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= _MAX_NUMBER:
        raise TypeError(f"a number (found {value!r})")
    return float(value)


def _curve(raw: Any) -> ConfidenceCurve:
    k = _count(raw["k"])
    if k < 2:
        raise TypeError(f"a k of at least 2 (found {k})")
    return ConfidenceCurve(k, *(_number(raw[name]) for name in ("best", "lead", "intercept")))


def _damaged(directory: Path, what: str) -> UserError:
    return UserError(
        f"The model pack at {directory} is refused: {what}",
        hint="Copy the pack again from where it came; `spencer models verify` checks it.",
    )

"""What one run does, as frozen values read from a TOML recipe, and the fingerprints that name its folders."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from spencer_desktop.core.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CorpusConfig:
    """Which installed packages are mined (name → version), and how much of each pair file is kept for validation.

    `max_package_pairs` and `max_file_pairs` keep a large source from being all that a short run sees.
    """

    train: Mapping[str, str]
    valid: Mapping[str, str]
    held_out_share: float
    max_package_pairs: int
    max_file_pairs: int


@dataclass(frozen=True, slots=True)
class LengthConfig:
    """Tokens that each model reads; they stand in the pack's manifest."""

    query: int
    code: int
    pair: int


@dataclass(frozen=True, slots=True)
class DistillConfig:
    """The student starts from `layers` of the teacher and learns for `minutes` of wall-clock time."""

    layers: tuple[int, ...]
    minutes: float
    batch: int
    learning_rate: float
    warmup: float
    weight_decay: float


@dataclass(frozen=True, slots=True)
class RerankConfig:
    """The re-ranker learns for `minutes` on groups of one match and `negatives` others.

    `loss` is "listwise" or "pointwise" (paper, Eq. 5); `recall_scale` weighs the cosine against the logit; `mix` says
    which share of the groups each source gives ("mined" stands for all mined packages); `depth` is how many of the best
    recalled codes are mined as hard negatives; `candidates` how many the application re-ranks.
    """

    head: str
    loss: str
    minutes: float
    groups: int
    negatives: int
    max_tokens: int
    learning_rate: float
    warmup: float
    weight_decay: float
    dropout: float
    recall_scale: float
    depth: int
    candidates: int
    mix: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run makes, its inputs apart.

    `precision` is "float32" or "bfloat16"; `licences` says under which licence each pair file stands.
    """

    name: str
    version: str
    seed: int
    threads: int
    precision: str
    corpus: CorpusConfig
    lengths: LengthConfig
    distill: DistillConfig
    rerank: RerankConfig
    licences: Mapping[str, str]


def fingerprint(*parts: Any) -> str:
    """16 hex digits that change with any value of any part: a config, or plain values that JSON knows."""
    plain = [asdict(p) if is_dataclass(p) and not isinstance(p, type) else p for p in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file. UserError naming what is missing, unknown or of the wrong type."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The recipe {path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"The recipe {path} is not TOML: {error}") from error
    sections = {"corpus": CorpusConfig, "lengths": LengthConfig, "distill": DistillConfig, "rerank": RerankConfig}
    parsed: dict[str, Any] = {name: _section(path, name, kind, raw.pop(name, None)) for name, kind in sections.items()}
    recipe: Recipe = _section(path, "", Recipe, {**raw, **parsed})
    if recipe.precision not in ("float32", "bfloat16"):
        raise UserError(f"{path}: precision is {recipe.precision!r}", hint='Use "float32" or "bfloat16".')
    if recipe.rerank.loss not in ("listwise", "pointwise"):
        raise UserError(f"{path}: rerank.loss is {recipe.rerank.loss!r}", hint='Use "listwise" or "pointwise".')
    return recipe


def _section(path: Path, name: str, kind: type[T], raw: Any) -> T:
    where = f"{path}: [{name}]" if name else f"{path}"
    if not isinstance(raw, dict):
        raise UserError(f"{where} is missing")
    known = {f.name: f.type for f in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in known:
            raise UserError(f"{where} has an unknown entry {key!r}", hint=f"Known are {', '.join(sorted(known))}.")
        values[key] = _typed(f"{where} {key}", str(known[key]), value)
    try:
        return kind(**values)
    except TypeError as error:
        raise UserError(f"{where} is incomplete: {error}") from error


def _typed(where: str, annotation: str, value: Any) -> Any:
    if annotation == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if annotation == "tuple[int, ...]" and isinstance(value, list):
        return tuple(_typed(where, "int", v) for v in value)
    if annotation.startswith("Mapping[str, ") and isinstance(value, dict):
        return {k: _typed(f"{where}.{k}", annotation[13:-1], v) for k, v in value.items()}
    plain = {"int": int, "float": float, "str": str}.get(annotation)
    wrong = plain is not None and (not isinstance(value, plain) or isinstance(value, bool))
    if wrong or (plain is None and annotation.startswith(("tuple", "Mapping"))):
        raise UserError(f"{where} is {value!r}; it must be of type {annotation}")
    return value

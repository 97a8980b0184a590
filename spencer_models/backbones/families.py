"""All families by name, and how a recipe's choice becomes a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.base import Backbone, Pretrained
from spencer_models.backbones.checkpoint import checkpoint_folder
from spencer_models.backbones.codebert import CodeBert
from spencer_models.backbones.codenn import CodeNN
from spencer_models.backbones.codet5 import CodeT5
from spencer_models.backbones.cradle import Cradle
from spencer_models.backbones.graphcodebert import GraphCodeBert
from spencer_models.backbones.minilm import MiniLM, installed_checkpoint
from spencer_models.backbones.sptcode import SptCode
from spencer_models.backbones.unixcoder import UniXcoder

_ALL: tuple[type[Backbone], ...] = (MiniLM, CodeBert, GraphCodeBert, CodeT5, UniXcoder, SptCode, CodeNN, Cradle)

FAMILIES: Mapping[str, type[Backbone]] = {kind.family: kind for kind in _ALL}
"""Family name → class."""


def open_backbone(family: str, source: str = "", *, pooling: str = "", symbol_header: bool = False) -> Backbone:
    """The backbone of a family on a checkpoint: a folder, a hub name, or "" for the family's public one.

    For a family that starts from nothing `source` is the folder of its vocabulary, and `pooling` and `symbol_header`
    have no meaning. UserError for an unknown family and for a source that is none; EnvironmentFault when a checkpoint
    cannot be had.
    """
    kind = _kind(family)
    if issubclass(kind, Pretrained):
        return kind(_checkpoint(kind, source), pooling=pooling, symbol_header=symbol_header)
    if not source or not Path(source).is_dir():
        raise UserError(
            f"The family {family} starts from a vocabulary, and {source!r} is not its folder",
            hint="Prepare the data first: that makes the vocabulary.",
        )
    return kind(Path(source))


def check_family(family: str, source: str) -> None:
    """Fetches the checkpoint that `open_backbone` will read, where the family has one; errors as there."""
    kind = _kind(family)
    if issubclass(kind, Pretrained):
        _checkpoint(kind, source)


def _kind(family: str) -> type[Backbone]:
    if kind := FAMILIES.get(family):
        return kind
    raise UserError(f"Unknown family of models: {family!r}", hint=f"Known are {', '.join(sorted(FAMILIES))}.")


def _checkpoint(kind: type[Pretrained], source: str) -> Path:
    installed = installed_checkpoint() if kind is MiniLM and not source else None
    if installed is not None:
        return installed
    if not (source or kind.public_checkpoint):
        raise UserError(
            f"The family {kind.family} has no public checkpoint that can be downloaded",
            hint=f"Name a folder as backbone.checkpoint; {kind.__module__} says what it holds.",
        )
    return checkpoint_folder(source or kind.public_checkpoint)

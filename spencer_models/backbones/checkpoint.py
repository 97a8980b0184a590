"""Checkpoints: a local folder or a hub name → a folder of safetensors, and how weights are read and written.

Pickles run code when they are read, so only safetensors are; no code that a checkpoint brings is ever run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import BertTokenizer, RobertaTokenizer

from spencer_desktop.core.errors import EnvironmentFault, UserError

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
TOKENIZER_NAME = "tokenizer.json"

_WANTED = ["*.json", "*.txt", WEIGHTS_NAME]
_OLDER_TOKENIZERS = ((("vocab.json", "merges.txt"), RobertaTokenizer), (("vocab.txt",), BertTokenizer))


def checkpoint_folder(source: str) -> Path:
    """The folder of a checkpoint: `source` itself where it is one, else that of the hub name `owner/name[@revision]`.

    What was downloaded before is used without a network. EnvironmentFault when it cannot be had; UserError when it has
    no safetensors.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        name, _, revision = source.partition("@")
        if name.count("/") != 1 or name.startswith((".", "/")):
            raise UserError(f"{source} is neither a folder nor a hub name", hint="A hub name is owner/name[@revision].")
        folder = _downloaded(source, name, revision or None)
    if not (folder / CONFIG_NAME).is_file() or not (folder / WEIGHTS_NAME).is_file():
        raise UserError(
            f"No safetensors checkpoint at {source}: it needs {CONFIG_NAME} and {WEIGHTS_NAME}",
            hint="Older checkpoints have safetensors at a revision such as owner/name@refs/pr/1; pickles are not read.",
        )
    return folder


def _downloaded(source: str, name: str, revision: str | None) -> Path:
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=_WANTED))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise EnvironmentFault(
            f"The checkpoint {source} is not on this machine and cannot be downloaded ({type(error).__name__})",
            hint="Copy it here and name its folder by --checkpoint, or as backbone.checkpoint in the recipe.",
        ) from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of `folder`'s weights file by name. UserError when it is missing or damaged."""
    path = folder / WEIGHTS_NAME
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"The weights at {path} cannot be read ({error})", hint="Copy the checkpoint again.") from error
    return weights


def fill(module: nn.Module, weights: dict[str, Tensor], where: Path) -> None:
    """Loads all of `weights` into `module`. UserError when a weight is missing, left over or of another shape."""
    own: dict[str, Tensor] = module.state_dict()
    found = {
        "missing": own.keys() - weights.keys(),
        "unknown": weights.keys() - own.keys(),
        "of another shape": {k for k in own.keys() & weights.keys() if own[k].shape != weights[k].shape},
    }
    faults = [f"{len(names)} {fault} (such as {min(names)})" for fault, names in found.items() if names]
    if faults:
        raise UserError(
            f"The weights at {where} do not fit the config beside them: {', '.join(faults)}",
            hint="Name the family that this checkpoint belongs to, or copy the checkpoint again, whole.",
        )
    module.load_state_dict(weights)


def write_weights(module: nn.Module, folder: Path) -> None:
    """Writes the module's weights file; it is there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / (WEIGHTS_NAME + ".new")
    # Tied tensors are written once each, so that no reader has to know which were tied.
    save_file({k: v.detach().clone().contiguous() for k, v in module.state_dict().items()}, temporary)
    temporary.replace(folder / WEIGHTS_NAME)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The checkpoint's tokenizer without its own truncation and padding: whoever encodes decides on both.

    Checkpoints without a tokenizer.json have older files, from which it is made: vocab.json and merges.txt
    (byte-level BPE) or vocab.txt (word pieces). UserError when it is missing or damaged.
    """
    path = folder / TOKENIZER_NAME
    # The library's own loaders make up a vocabulary where a file is missing.
    older = (kind for names, kind in _OLDER_TOKENIZERS if all((folder / name).is_file() for name in names))
    kind = None if path.is_file() else next(older, None)
    if kind is None:
        return read_tokenizer(path)
    return _bare(folder, lambda: kind.from_pretrained(folder, local_files_only=True).backend_tokenizer)


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in one file, without its own truncation and padding. UserError when it is missing or damaged."""
    return _bare(path, lambda: Tokenizer.from_file(str(path)))


def framed(tokenizer: Tokenizer, opening: Sequence[str], close: str, *, second_opens: bool = False) -> Tokenizer:
    """`tokenizer`, which now puts `opening` before a text or a pair, and one `close` after each text.

    The second text of a pair has its own opening where `second_opens`. Truncation cuts the texts only. UserError when
    the vocabulary has no such token.
    """
    specials = {token: tokenizer.token_to_id(token) for token in (*opening, close)}
    unknown = [token for token, number in specials.items() if number is None]
    if unknown:
        raise UserError(
            f"The tokenizer has no token {unknown[0]}", hint="Name the family that this checkpoint belongs to."
        )
    first = [*opening, "$A", close]
    second = [*(opening if second_opens else ()), "$B", close]
    tokenizer.post_processor = TemplateProcessing(
        single=first,
        pair=[*first, *(f"{piece}:1" for piece in second)],
        special_tokens=list(specials.items()),
    )
    return tokenizer


def _bare(where: Path, read: Callable[[], Tokenizer]) -> Tokenizer:
    try:
        tokenizer = read()
    except Exception as error:
        # The tokenizers library has no class of errors of its own.
        raise UserError(f"No tokenizer can be read at {where} ({error})", hint="Copy the checkpoint again.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer

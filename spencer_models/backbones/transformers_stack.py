"""Stacks made of the transformers library's models, the families that have them, and those that read tokens alone."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from huggingface_hub.errors import StrictDataclassError
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.text import query_text
from spencer_models.backbones.base import Code, Features, Pretrained, Stack
from spencer_models.backbones.checkpoint import (
    CONFIG_NAME,
    TOKENIZER_NAME,
    fill,
    load_tokenizer,
    read_weights,
    write_weights,
)
from spencer_models.data.collation import Collator, Tokens


class TransformersStack(Stack):
    """A model of the transformers library whose layers stand in one list.

    `layers_path` is where that list stands among the model's weights, `depth_name` what its config calls its length,
    `first_layer_only` the weights that the lowest layer alone has and that stay with the lowest place.
    """

    layers_path: ClassVar[str]
    depth_name: ClassVar[str] = "num_hidden_layers"
    first_layer_only: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__()
        config._attn_implementation = "eager"
        self.model = self.build(config)

    @classmethod
    @abstractmethod
    def build(cls, config: PreTrainedConfig) -> PreTrainedModel:
        """The model with fresh weights."""

    @classmethod
    def longest(cls, config: PreTrainedConfig) -> int:
        """How many tokens a text may have at most: a model of this config has no positions beyond."""
        return cast(int, config.max_position_embeddings)

    @property
    def config(self) -> Any:
        return self.model.config

    @property
    def width(self) -> int:
        return cast(int, self.config.hidden_size)

    @property
    def depth(self) -> int:
        return cast(int, getattr(self.config, self.depth_name))

    def thinned(self, layers: Sequence[int]) -> Stack:
        if not all(0 <= layer < self.depth for layer in layers):
            raise UserError(f"Layers {list(layers)} cannot be taken from a model of {self.depth} layers")
        config = type(self.config).from_dict(self.config.to_dict())
        setattr(config, self.depth_name, len(layers))
        small = type(self)(config)
        small.model.load_state_dict(self._renumbered(self.model.state_dict(), layers))
        return small

    def _renumbered(self, weights: dict[str, Tensor], layers: Sequence[int]) -> dict[str, Tensor]:
        start = f"{self.layers_path}."
        out = {k: v for k, v in weights.items() if not k.startswith(start)}
        for place, layer in enumerate(layers):
            own = f"{start}{layer}."
            named = {k[len(own) :]: v for k, v in weights.items() if k.startswith(own)}
            out |= {f"{start}{place}.{k}": v for k, v in named.items() if k not in self.first_layer_only}
        if not layers:
            return out
        lowest = f"{start}0."
        return out | {lowest + name: weights[lowest + name] for name in self.first_layer_only}

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_NAME).write_text(self.config.to_json_string(use_diff=False), encoding="utf-8")
        write_weights(self.model, folder)

    def set_attention(self, implementation: str) -> str:
        before = cast(str, self.config._attn_implementation)
        self.model.set_attn_implementation(implementation)
        return before


def states_of(output: Any) -> Tensor:
    """float32 token states: pooling and scoring stay in float32 whatever precision the layers ran in."""
    return cast(Tensor, output.last_hidden_state).float()


def read_config(folder: Path, kind: type[PreTrainedConfig], changes: dict[str, Any]) -> PreTrainedConfig:
    """`folder`'s config.json with `changes`. UserError when it cannot be read or is of another kind of model."""
    path = folder / CONFIG_NAME
    try:
        raw = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error})", hint="Copy the checkpoint again, whole.") from error
    if raw.get("model_type", kind.model_type) != kind.model_type:
        raise UserError(
            f"{folder} holds a model of type {raw['model_type']!r}, not {kind.model_type!r}",
            hint="Name the family that this checkpoint belongs to as backbone.family in the recipe.",
        )
    try:
        return cast(PreTrainedConfig, kind.from_dict({**raw, **changes}))
    except (StrictDataclassError, ValueError, TypeError) as error:
        raise UserError(f"{path} does not describe a model ({error})", hint="Copy the checkpoint again.") from error


class TransformersBackbone(Pretrained):
    """A family whose layers are the transformers library's, and what a public checkpoint's weights are called.

    `weight_prefixes` are tried in turn on the names in the weights file ("" last); names that start with one of
    `unused_weights` belong to heads and buffers that no stack here has.
    """

    stack_kind: ClassVar[type[TransformersStack]]
    config_kind: ClassVar[type[PreTrainedConfig]]
    dropout_names: ClassVar[tuple[str, ...]] = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    weight_prefixes: ClassVar[tuple[str, ...]] = ("",)
    unused_weights: ClassVar[tuple[str, ...]] = ()

    def __init__(self, folder: Path, *, pooling: str = "", symbol_header: bool = False) -> None:
        super().__init__(folder, pooling=pooling, symbol_header=symbol_header)
        self.config = read_config(folder, self.config_kind, {})
        self.pad_id = int(self.config.pad_token_id or 0)

    def stack(self, folder: Path, *, dropout: float = 0.0) -> TransformersStack:
        config = read_config(folder, self.config_kind, dict.fromkeys(self.dropout_names, dropout))
        try:
            stack = self.stack_kind(config)
        except ValueError as error:
            raise UserError(f"{folder / CONFIG_NAME} does not describe a model ({error})") from error
        fill(stack.model, self.renamed(read_weights(folder), stack.model), folder)
        return stack

    def renamed(self, weights: dict[str, Tensor], model: torch.nn.Module) -> dict[str, Tensor]:
        """The weights of a file, by the names that `model` has for them, without what it does not have."""
        known = model.state_dict().keys()
        fitting = (p for p in self.weight_prefixes if any(k.startswith(p) and k[len(p) :] in known for k in weights))
        prefix = next(fitting, "")
        own = {k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}
        return {k: v for k, v in own.items() if not k.startswith(self.unused_weights)}

    def check_length(self, max_tokens: int, frame: int) -> None:
        """UserError when `max_tokens` are more than the checkpoint reads, or no more than the `frame` around them."""
        longest = self.stack_kind.longest(self.config)
        if max_tokens > longest:
            raise UserError(
                f"{max_tokens} tokens are too many for the checkpoint at {self.folder}: it has positions for {longest}",
                hint=f"Set the lengths under [text] in the recipe to at most {longest}.",
            )
        if max_tokens <= frame:
            raise UserError(
                f"{max_tokens} tokens are too few for the family {self.family}, which needs more than {frame}"
            )


class TokenBackbone(TransformersBackbone):
    """A family that reads tokens alone. The frame of special tokens around them is the tokenizer's own."""

    def __init__(self, folder: Path, *, pooling: str = "", symbol_header: bool = False) -> None:
        super().__init__(folder, pooling=pooling, symbol_header=symbol_header)
        self.tokenizer = self.read_tokenizer(folder)
        known = self.tokenizer.get_vocab(with_added_tokens=False).values()
        if max(known, default=0) >= self.config.vocab_size:
            raise UserError(
                f"The tokenizer at {folder} is another model's: the config knows {self.config.vocab_size} tokens only",
                hint="Copy the checkpoint again, whole.",
            )
        self.collator = Collator(self.tokenizer, self.pad_id)

    @classmethod
    def read_tokenizer(cls, folder: Path) -> Tokenizer:
        """The checkpoint's tokenizer with the family's frame; whoever reads its JSON form frames texts alike."""
        return load_tokenizer(folder)

    def save(self, encoder: nn.Module, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(str(folder / TOKENIZER_NAME))
        super().save(encoder, folder)

    def codes(self, codes: Sequence[Code], max_tokens: int) -> Features:
        return self._texts([self.source_text(c) for c in codes], max_tokens)

    def queries(self, queries: Sequence[str], max_tokens: int) -> Features:
        return self._texts([query_text(q) for q in queries], max_tokens)

    def pairs(self, pairs: Sequence[tuple[Code, str]], max_tokens: int) -> Features:
        self.check_length(max_tokens, self.tokenizer.num_special_tokens_to_add(True))
        texts = [(self.source_text(code), query_text(query)) for code, query in pairs]
        return self._features(self.collator.pairs(texts, max_tokens))

    def _texts(self, texts: Sequence[str], max_tokens: int) -> Features:
        self.check_length(max_tokens, self.tokenizer.num_special_tokens_to_add(False))
        return self._features(self.collator.texts(texts, max_tokens))

    def _features(self, tokens: Tokens) -> Features:
        return {name: torch.from_numpy(getattr(tokens, name)) for name in self.stack_kind.input_names}

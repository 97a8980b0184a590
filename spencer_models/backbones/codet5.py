"""CodeT5 (T5 architecture) without its decoder: 12 layers, 768 wide; Wang et al., EMNLP 2021."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel, T5Config, T5EncoderModel

from spencer_models.backbones.checkpoint import framed, load_tokenizer
from spencer_models.backbones.codebert import CLOSE, OPEN
from spencer_models.backbones.transformers_stack import TokenBackbone, TransformersStack, states_of

_EMBEDDINGS = ("shared.weight", "encoder.embed_tokens.weight")


class T5Stack(TransformersStack):
    """The encoder's layers. The lowest one alone holds the weights of the relative positions, which all layers use."""

    input_names = ("input_ids", "attention_mask")
    layers_path = "encoder.block"
    depth_name = "num_layers"
    first_layer_only = ("layer.0.SelfAttention.relative_attention_bias.weight",)

    @classmethod
    def build(cls, config: PreTrainedConfig) -> PreTrainedModel:
        return T5EncoderModel(config)

    @classmethod
    def longest(cls, config: PreTrainedConfig) -> int:
        return sys.maxsize

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return states_of(self.model(input_ids=input_ids, attention_mask=attention_mask)), attention_mask


class CodeT5(TokenBackbone):
    """Salesforce/codet5-base. A text is `<s> text </s>`, a pair `<s> code </s> query </s>`."""

    family = "codet5"
    public_checkpoint = "Salesforce/codet5-base"
    stack_kind = T5Stack
    config_kind = T5Config
    dropout_names = ("dropout_rate",)
    unused_weights = ("decoder.", "lm_head.")

    @classmethod
    def read_tokenizer(cls, folder: Path) -> Tokenizer:
        return framed(load_tokenizer(folder), (OPEN,), CLOSE)

    def renamed(self, weights: dict[str, Tensor], model: torch.nn.Module) -> dict[str, Tensor]:
        own = super().renamed(weights, model)
        # One tensor, which checkpoints keep under either name or both.
        embeddings = next((own[name] for name in _EMBEDDINGS if name in own), None)
        return own if embeddings is None else own | dict.fromkeys(_EMBEDDINGS, embeddings)

"""CodeBERT (RoBERTa architecture): 12 layers, 768 wide; Feng et al., EMNLP 2020."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, cast

from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel, RobertaConfig, RobertaModel

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.checkpoint import load_tokenizer
from spencer_models.backbones.transformers_stack import TokenBackbone, TransformersStack, states_of

OPEN, CLOSE = "<s>", "</s>"
"""What RoBERTa's vocabularies call [CLS] and [SEP]."""


class RobertaStack(TransformersStack):
    """RoBERTa's layers without its pooler; every token sees every other, whatever the checkpoint was trained to do."""

    input_names: ClassVar[tuple[str, ...]] = ("input_ids", "attention_mask")
    layers_path = "encoder.layer"

    @classmethod
    def build(cls, config: PreTrainedConfig) -> PreTrainedModel:
        config.is_decoder = False
        return RobertaModel(config, add_pooling_layer=False)

    @classmethod
    def longest(cls, config: PreTrainedConfig) -> int:
        # Positions are counted from the number of the padding token, which is padding's own position.
        return cast(int, config.max_position_embeddings - config.pad_token_id - 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return states_of(self.model(input_ids=input_ids, attention_mask=attention_mask)), attention_mask


class CodeBert(TokenBackbone):
    """microsoft/codebert-base. A text is `<s> text </s>`, a pair `<s> code </s> query </s>`."""

    family = "codebert"
    public_checkpoint = "microsoft/codebert-base"
    stack_kind = RobertaStack
    config_kind = RobertaConfig
    weight_prefixes = ("roberta.", "")
    unused_weights = ("pooler.", "lm_head.", "classifier.", "embeddings.position_ids", "embeddings.token_type_ids")

    @classmethod
    def read_tokenizer(cls, folder: Path) -> Tokenizer:
        return framed(load_tokenizer(folder), (OPEN,))


def framed(tokenizer: Tokenizer, opening: Sequence[str]) -> Tokenizer:
    """`tokenizer`, which now puts `opening` before, `</s>` after a text and one `</s>` between the texts of a pair.

    One, as in the paper (section 2.2) and CodeBERT's pre-training; RoBERTa itself has two. Truncation cuts the texts
    only. UserError when the vocabulary has no such token.
    """
    specials = {token: tokenizer.token_to_id(token) for token in (*opening, CLOSE)}
    unknown = [token for token, number in specials.items() if number is None]
    if unknown:
        raise UserError(
            f"The tokenizer has no token {unknown[0]}", hint="Name the family that this checkpoint belongs to."
        )
    start = " ".join(opening)
    tokenizer.post_processor = TemplateProcessing(
        single=f"{start} $A {CLOSE}",
        pair=f"{start} $A {CLOSE} $B:1 {CLOSE}:1",
        special_tokens=list(specials.items()),
    )
    return tokenizer

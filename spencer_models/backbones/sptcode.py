"""SPT-Code (BART architecture) without its decoder: 12 layers, 768 wide; Niu et al., ICSE 2022, arXiv 2201.01549.

Its authors publish the checkpoint as pickles, which are not read here. The folder that is read holds

- `config.json` as published (model_type "bart");
- `model.safetensors`: the tensors of `pytorch_model.bin`, saved once by `safetensors.torch.save_file`, each cloned; the
  encoder's names begin with "model.encoder." or "encoder.";
- `code_tokenizer.json`, `nl_tokenizer.json` and `ast_tokenizer.json`, which lie in the folders of the published
  vocabularies as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import BartConfig, PreTrainedConfig, PreTrainedModel
from transformers.models.bart.modeling_bart import BartEncoder

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.text import query_text, split_identifier
from spencer_models.backbones.base import Code, Features
from spencer_models.backbones.checkpoint import read_tokenizer
from spencer_models.backbones.transformers_stack import TransformersBackbone, TransformersStack, states_of
from spencer_models.structure.source import function_name, read_source
from spencer_models.structure.syntax_sequence import called_names, code_words, syntax_words

SPECIALS = ("[PAD]", "[SOS]", "[EOS]", "[UNK]", "[MSK]", "[SEP]")
"""The first tokens of each of the three vocabularies, which share their numbers."""

_SHARED = ("model.shared.weight", "shared.weight")
_PAD, _SOS, _EOS, _, _, _SEP = range(len(SPECIALS))

# Two kilobytes each: the functions of a training set are read anew in every epoch.
MAX_CACHED = 1 << 19

Ids32: TypeAlias = "NDArray[np.int32]"

# Lengths of the three parts in pre-training, each with the token that ends it.
_CODE, _SYNTAX, _NAMES = 256, 32, 64
_ALL = _CODE + _SYNTAX + _NAMES
_FEWEST_TOKENS = 1 + _ALL // _SYNTAX


class BartStack(TransformersStack):
    """The encoder's layers."""

    input_names = ("input_ids", "attention_mask")
    layers_path = "layers"
    depth_name = "encoder_layers"

    @classmethod
    def build(cls, config: PreTrainedConfig) -> PreTrainedModel:
        return BartEncoder(config)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return states_of(self.model(input_ids=input_ids, attention_mask=attention_mask)), attention_mask


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """One of the three vocabularies; its tokens, other than the special ones, are counted from `offset`."""

    tokenizer: Tokenizer
    offset: int

    def ids(self, text: str) -> Ids32:
        """int32 [t], without special tokens around them."""
        ids = np.asarray(self.tokenizer.encode(text, add_special_tokens=False).ids, np.int32)
        return np.where(ids < len(SPECIALS), ids, ids + np.int32(self.offset))


class SptCode(TransformersBackbone):
    """The encoder, which reads code, syntax and names together; Python and Java.

    A code is `[SOS] tokens [SEP] X-SBT [SEP] names [EOS]`, where the names are the words of the function's name and of
    the functions it calls; a question is `[SOS] words [EOS]`; a pair is a code, its end a `[SEP]`, and the question's
    words up to `[EOS]`. The three parts of a code share the length that it may have as in pre-training: 256 to 32 to
    64. In a pair the question keeps at most half. `symbol_header` has no effect: the name is read anyhow.

    Two things differ from pre-training: `[SOS]`, because the method searches with the state of a first special token,
    and that no part is padded, so that where a part begins depends on how long the one before it is.
    """

    family = "sptcode"
    stack_kind = BartStack
    config_kind = BartConfig
    dropout_names = ("dropout", "attention_dropout")
    weight_prefixes = ("model.encoder.", "encoder.", "")

    def __init__(self, folder: Path, *, pooling: str = "", symbol_header: bool = False) -> None:
        super().__init__(folder, pooling=pooling, symbol_header=symbol_header)
        code, names, syntax = (_read_vocabulary(folder, part) for part in ("code", "nl", "ast"))
        sizes = [tokenizer.get_vocab_size() for tokenizer in (code, names, syntax)]
        if sum(sizes) > self.config.vocab_size:
            raise UserError(
                f"The vocabularies at {folder} have {sum(sizes)} tokens, the config {self.config.vocab_size}",
                hint="Copy the three tokenizers that were published with this checkpoint.",
            )
        self._code = _Vocabulary(code, 0)
        self._names = _Vocabulary(names, sizes[0])
        self._syntax = _Vocabulary(syntax, sizes[0] + sizes[1])
        self._parts = lru_cache(MAX_CACHED)(self._read)

    def codes(self, codes: Sequence[Code], max_tokens: int) -> Features:
        self.check_length(max_tokens, _FEWEST_TOKENS)
        return _padded([self._code_row(code, max_tokens) for code in codes])

    def queries(self, queries: Sequence[str], max_tokens: int) -> Features:
        self.check_length(max_tokens, 2)
        words = [self._names.ids(query_text(query))[: max_tokens - 2] for query in queries]
        return _padded([[_SOS, *ids.tolist(), _EOS] for ids in words])

    def pairs(self, pairs: Sequence[tuple[Code, str]], max_tokens: int) -> Features:
        self.check_length(max_tokens, 2 * _FEWEST_TOKENS)
        return _padded([self._pair(code, query, max_tokens) for code, query in pairs])

    def renamed(self, weights: dict[str, Tensor], model: torch.nn.Module) -> dict[str, Tensor]:
        own = super().renamed(weights, model)
        # The decoder's embeddings are the same tensor, which a file may hold under the name that both share.
        shared = next((weights[name] for name in _SHARED if name in weights), None)
        return own if shared is None else {"embed_tokens.weight": shared} | own

    def _pair(self, code: Code, query: str, max_tokens: int) -> list[int]:
        question = self._names.ids(query_text(query))[: max_tokens // 2 - 1].tolist()
        return [*self._code_row(code, max_tokens - len(question) - 1)[:-1], _SEP, *question, _EOS]

    def _code_row(self, code: Code, max_tokens: int) -> list[int]:
        room = max_tokens - 1
        most = [room * _CODE // _ALL, room * _SYNTAX // _ALL]
        most.append(room - sum(most))
        row = [_SOS]
        for ids, length in zip(self._parts(code), most, strict=True):
            row += [*ids[: length - 1].tolist(), _SEP]
        return [*row[:-1], _EOS]

    def _read(self, code: Code) -> tuple[Ids32, Ids32, Ids32]:
        source = read_source(code.text, code.language)
        longest = self.stack_kind.longest(self.config)
        name = code.symbol.rpartition(".")[2] or function_name(source)
        names = [word for called in (name, *called_names(source)) for word in split_identifier(called)]
        words = (self._code, code_words(source)), (self._syntax, syntax_words(source, longest)), (self._names, names)
        tokens, syntax, named = (vocabulary.ids(" ".join(part))[:longest] for vocabulary, part in words)
        return tokens, syntax, named


def _read_vocabulary(folder: Path, part: str) -> Tokenizer:
    tokenizer = read_tokenizer(folder / f"{part}_tokenizer.json")
    if [tokenizer.token_to_id(token) for token in SPECIALS] != list(range(len(SPECIALS))):
        raise UserError(f"{folder / f'{part}_tokenizer.json'} is no vocabulary of SPT-Code: its special tokens differ")
    return tokenizer


def _padded(rows: Sequence[Sequence[int]]) -> Features:
    ids = [torch.tensor(row) for row in rows]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=_PAD),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
    }

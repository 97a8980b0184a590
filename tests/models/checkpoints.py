"""Tiny checkpoints with random weights, each written as the files that the family's public checkpoint consists of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertModel,
    BertTokenizer,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5ForConditionalGeneration,
)

from spencer_models.backbones.sptcode import SPECIALS

LAYERS = 3
WIDTH = 16

# Larger initial weights than usual: the vectors of different texts must differ.
_SPREAD = 0.3
_LAYER_SIZES = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 2 * WIDTH,
    "initializer_range": _SPREAD,
}
_WORDS = (
    "how to read write file open close line lines list sort parse json text number add remove return def path name "
    "value key dict the a of in from get set for if class self print join split count max min sum int public static"
).split()
_CODE = ["def read ( path ) : return open ( path ) . read ( )", "int add ( int a , int b ) { return a + b ; }", *_WORDS]
_SYNTAX = (
    "return_statement expression_statement__ assignment __expression_statement expression_statement if_statement__ "
    "__if_statement for_statement__ __for_statement return_statement__ __return_statement binary_expression"
)


def write_minilm(folder: Path) -> PreTrainedModel:
    """sentence-transformers/all-MiniLM-L6-v2: BERT with its pooler, tokenizer.json beside vocab.txt."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789_()=:.,;{}+"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS, *letters, *("##" + letter for letter in letters)]
    vocabulary = list(dict.fromkeys(pieces))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizer.from_pretrained(folder).backend_tokenizer.save(str(folder / "tokenizer.json"))
    sizes = {**_LAYER_SIZES, "vocab_size": len(vocabulary), "max_position_embeddings": 64}
    config = {"model_type": "bert", "architectures": ["BertModel"], "pad_token_id": 0, **sizes}
    return _write(folder, config, BertConfig, BertModel)


def write_codebert(folder: Path) -> PreTrainedModel:
    """microsoft/codebert-base: RoBERTa with its pooler, vocab.json and merges.txt."""
    return _write_roberta(folder, ["<s>", "<pad>", "</s>", "<unk>"], {"max_position_embeddings": 66})


def write_unixcoder(folder: Path) -> PreTrainedModel:
    """microsoft/unixcoder-base: the modes are words of the vocabulary; some copies of its config say "decoder"."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<decoder-only>", "<encoder-decoder>", "<encoder-only>"]
    changes = {"max_position_embeddings": 130, "type_vocab_size": 10, "is_decoder": True}
    return _write_roberta(folder, tokens, changes)


def write_codet5(folder: Path) -> PreTrainedModel:
    """Salesforce/codet5-base: T5 with its decoder; the embeddings of both stand there once."""
    size = _write_byte_pairs(folder, ["<pad>", "<s>", "</s>", "<unk>"])
    _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "RobertaTokenizer", "model_max_length": 512})
    _write_json(folder / "added_tokens.json", {"<extra_id_1>": size, "<extra_id_0>": size + 1})
    heads = {"d_model": WIDTH, "d_kv": WIDTH // 2, "d_ff": 2 * WIDTH, "num_heads": 2}
    config = {
        "model_type": "t5",
        "architectures": ["T5ForConditionalGeneration"],
        "vocab_size": size + 2,
        "num_layers": LAYERS,
        "num_decoder_layers": LAYERS,
        "dropout_rate": 0.1,
        "initializer_factor": 1.0,
        "feed_forward_proj": "relu",
        "is_encoder_decoder": True,
        "n_positions": 512,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **heads,
    }
    left_out = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
    return _write(folder, config, T5Config, T5ForConditionalGeneration, left_out)


def write_sptcode(folder: Path) -> PreTrainedModel:
    """SPT-Code: BART with its decoder and three vocabularies, converted as the family's file says."""
    code = _trained(models.BPE(unk_token="[UNK]"), trainers.BpeTrainer, _CODE, folds=True)
    names = _trained(models.BPE(unk_token="[UNK]"), trainers.BpeTrainer, _WORDS, folds=True)
    syntax = _trained(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer, [_SYNTAX], folds=False)
    for part, tokenizer in (("code", code), ("nl", names), ("ast", syntax)):
        tokenizer.save(str(folder / f"{part}_tokenizer.json"))
    heads = {"encoder_attention_heads": 2, "encoder_ffn_dim": 2 * WIDTH, "encoder_layers": LAYERS}
    config = {
        "model_type": "bart",
        "architectures": ["BartForClassificationAndGeneration"],
        "vocab_size": sum(tokenizer.get_vocab_size() for tokenizer in (code, names, syntax)),
        "d_model": WIDTH,
        "max_position_embeddings": 64,
        "init_std": _SPREAD,
        "dropout": 0.1,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
        "forced_eos_token_id": 2,
        "num_labels": 2,
        "max_length": 100,
        "num_beams": 5,
        "is_encoder_decoder": True,
        **heads,
        **{name.replace("encoder", "decoder"): value for name, value in heads.items()},
    }
    return _write(folder, config, BartConfig, BartForConditionalGeneration)


CHECKPOINTS: Mapping[str, Callable[[Path], PreTrainedModel]] = {
    "minilm": write_minilm,
    "codebert": write_codebert,
    "codet5": write_codet5,
    "unixcoder": write_unixcoder,
    "sptcode": write_sptcode,
}
"""By family: writes the checkpoint into an empty folder and returns the model whose weights it has."""


def _write_roberta(folder: Path, tokens: list[str], changes: dict[str, Any]) -> PreTrainedModel:
    size = _write_byte_pairs(folder, tokens)
    _write_json(folder / "tokenizer_config.json", {"model_max_length": 512})
    config = {
        "model_type": "roberta",
        "architectures": ["RobertaModel"],
        "vocab_size": size,
        "type_vocab_size": 1,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "output_past": True,
        **_LAYER_SIZES,
        **changes,
    }
    return _write(folder, config, RobertaConfig, RobertaModel)


def _write_byte_pairs(folder: Path, tokens: list[str]) -> int:
    """A byte-level vocabulary whose only pairs are "re" and "read"; returns its size."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = [*tokens, *alphabet, "re", "ad", "read", "<mask>"]
    _write_json(folder / "vocab.json", {token: number for number, token in enumerate(vocabulary)})
    (folder / "merges.txt").write_text("#version: 0.2\nr e\na d\nre ad\n", encoding="utf-8")
    return len(vocabulary)


def _trained(model: models.Model, trainer: Callable[..., Any], texts: list[str], *, folds: bool) -> Tokenizer:
    tokenizer = Tokenizer(model)
    parts = [normalizers.NFD(), normalizers.StripAccents(), normalizers.Strip()]
    tokenizer.normalizer = normalizers.Sequence([*parts, normalizers.Lowercase()] if folds else parts)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(texts, trainer(special_tokens=list(SPECIALS), vocab_size=400, show_progress=False))
    return tokenizer


def _write(
    folder: Path, config: dict[str, Any], kind: Any, model_kind: Any, left_out: tuple[str, ...] = ()
) -> PreTrainedModel:
    _write_json(folder / "config.json", config)
    torch.manual_seed(0)
    model: PreTrainedModel = model_kind(kind.from_dict(config)).eval()
    weights: dict[str, Tensor] = model.state_dict()
    save_file({k: v.clone() for k, v in weights.items() if k not in left_out}, folder / "model.safetensors")
    return model


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")

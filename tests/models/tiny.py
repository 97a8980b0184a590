"""Models and tokenizers small enough to train in a test: random weights, two or three layers, 32 wide."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig

from spencer_models.backbones.checkpoint import TOKENIZER_NAME
from spencer_models.backbones.minilm import BertStack

WORDS = (
    "how to read write file open close line lines list sort parse json text number add remove return def path name "
    "value key dict the a of in from get set for if class self print join split count max min sum"
).split()


def tiny_tokenizer() -> Tokenizer:
    """Whole words of WORDS, single letters as pieces, and the special tokens and pair template of BERT."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789_()=:.,"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *letters, *("##" + c for c in letters)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return tokenizer


def tiny_checkpoint(folder: Path, layers: int = 2, seed: int = 0) -> Path:
    """Writes a BERT with random weights for `tiny_tokenizer` in the public format; larger weights than usual make its
    vectors differ."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=tiny_tokenizer().get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    BertStack(config).save(folder)
    tiny_tokenizer().save(str(folder / TOKENIZER_NAME))
    return folder

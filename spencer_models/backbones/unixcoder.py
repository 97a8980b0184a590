"""UniXcoder (RoBERTa architecture, 1,024 positions) as an encoder: Guo et al., ACL 2022."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from spencer_models.backbones.checkpoint import framed, load_tokenizer
from spencer_models.backbones.codebert import CLOSE, OPEN, CodeBert

MODE = "<encoder-only>"
"""The prefix by which UniXcoder was told in pre-training that each token sees all others."""


class UniXcoder(CodeBert):
    """microsoft/unixcoder-base in its encoder-only mode.

    A text is `<s> <encoder-only> </s> text </s>`, a pair `<s> <encoder-only> </s> code </s> query </s>`. Its authors
    search with the mean over the tokens, the paper with the first token's state: `pooling` says which.
    """

    family = "unixcoder"
    public_checkpoint = "microsoft/unixcoder-base"

    @classmethod
    def read_tokenizer(cls, folder: Path) -> Tokenizer:
        return framed(load_tokenizer(folder), (OPEN, MODE, CLOSE), CLOSE)

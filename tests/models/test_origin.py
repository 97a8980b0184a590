"""Whose texts a model was made of."""

from __future__ import annotations

from spencer_models.origin import Origin


def test_what_a_re_ranker_alone_learnt_from_is_named_and_what_judges_is_not() -> None:
    def source(split: str) -> dict[str, object]:
        return {"licence": "MIT", "languages": {split: {"python": 3}}}

    summary = {
        "packages": {name: source(name) for name in ("train", "rerank", "valid", "test")},
        "files": {"asked": {"licence": "", "languages": {"train": {"sql": 2}, "valid": {"sql": 1}}}},
    }
    base = {"name": "minilm", "licence": "Apache-2.0", "part": "base weights and tokenizer"}
    found = Origin("", (), (base,)).licences_with(summary)
    assert [(entry["name"], entry["licence"]) for entry in found] == [
        ("minilm", "Apache-2.0"),
        ("asked", "as its owner states"),
        ("rerank", "MIT"),
        ("train", "MIT"),
    ]

"""A held-out split as a repository: each function a file without its documentation, and what is asked of it.

The application indexes it as any other: so what stands between encoder and answer is measured on held-out code, too.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.languages import extension_of
from spencer_models.data.corpus import Corpus, scattered

CODE_FOLDER, QUESTIONS_NAME = "code", "questions.jsonl"


def write_repository(corpus: Corpus, split: str, questions: int, out: Path) -> int:
    """Writes code/ and questions.jsonl ({"query", "path"}) to `out`; returns how many functions there are.

    At most so many `questions` of each kind are asked; names of files tell nothing. UserError when `out` holds code
    already or the split is empty.
    """
    if (out / CODE_FOLDER).exists():
        raise UserError(f"{out / CODE_FOLDER} exists already", hint="Name another folder.")
    asked: list[dict[str, str]] = []
    written = 0
    for pairs in corpus.kinds(split).values():
        for place, pair in enumerate(scattered(pairs)):
            folder = re.sub(r"\W+", "-", pair.source).strip("-")
            path = Path(folder) / f"{written:06}.{extension_of(pair.language)}"
            (out / CODE_FOLDER / folder).mkdir(parents=True, exist_ok=True)
            (out / CODE_FOLDER / path).write_text(pair.bare + "\n", encoding="utf-8")
            if place < questions:
                asked.append({"query": pair.query, "path": path.as_posix()})
            written += 1
    if not written:
        raise UserError(f"The corpus has no split {split!r} with pairs in it")
    lines = "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in asked)
    (out / QUESTIONS_NAME).write_text(lines, encoding="utf-8")
    return written

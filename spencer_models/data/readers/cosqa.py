"""CoSQA: a JSON list of web queries beside Python functions, judged by people.

cosqa-train.json and cosqa-dev.json serve question answering, cosqa-retrieval-*.json code search; the records are the
same but for `retrieval_idx`, the number of the code in code_idx_map.txt, which holds no code that no record has.
https://github.com/Jun-jie-Huang/CoCLR.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import UserError
from spencer_models.data.corpus import Labelled, Pair
from spencer_models.data.readers.base import Account, Broken, ReadFile, parsed_function, split_named, text_of

PATTERNS = ("*.json",)

_HINT = 'The file must be a JSON list of objects with "doc", "code" and "label" (0 or 1).'
_LANGUAGE = "python"


def read(path: Path) -> ReadFile:
    """Every record as labelled, those with label 1 as pairs too."""
    account = Account(path)
    parse = partial(_judged, split=split_named(path))
    for number, record in enumerate(_records(path), start=1):
        account.take(f"record {number}", parse, record)
    return account.result(_HINT)


def _records(path: Path) -> list[Any]:
    try:
        records = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not JSON ({error.msg})", hint=_HINT) from error
    except RecursionError as error:
        raise UserError(f"{path}, line 1: not CoSQA (nested too deeply)", hint=_HINT) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: not UTF-8", hint=_HINT) from error
    if not isinstance(records, list):
        raise UserError(f"{path}, line 1: not CoSQA (no list of records)", hint=_HINT)
    return records


def _judged(record: Any, split: str) -> Iterator[Pair | Labelled]:
    if not isinstance(record, dict):
        raise Broken("not a JSON object")
    query, code = text_of(record, "doc"), text_of(record, "code")
    label = record.get("label")
    if label not in (0, 1) or isinstance(label, bool):
        raise Broken(f'"label" is {label!r}, neither 0 nor 1')
    yield Labelled(query, code, _LANGUAGE, int(label), split)
    if label == 1:
        bare, symbol = parsed_function(_LANGUAGE, code)
        yield Pair(query, code, bare, symbol, _LANGUAGE, "", split)

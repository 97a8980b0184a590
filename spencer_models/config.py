"""What a run does, as frozen values read from a TOML recipe, and the fingerprints that name its folders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

from spencer_models.data.sources import DataConfig
from spencer_models.losses import TEMPERATURE

EQUATION_4 = ("code", "query", "cross")


@dataclass(frozen=True, slots=True)
class BackboneConfig:
    """`checkpoint` is a hub name, a folder, or "" for the family's public one; `start` another one of the same shape
    that training goes on from in its place ("": none); `pooling` "" for the family's own.

    `shared`: one encoder serves both sides until the query side is distilled; else each side is trained from the
    checkpoint for itself.
    """

    family: str
    checkpoint: str = ""
    start: str = ""
    pooling: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True)
class TextConfig:
    """What the models read: at most so many tokens of a query, a code and a (code, query) pair.

    The public sets are read as they stand. With `symbol_header` a code stands below its qualified symbol, as the
    application feeds it; with `documented` every second training function keeps what its documentation says beside the
    question; with `rewritten` a training query is one of the ways in which people would ask for what the documentation
    says. `varied`, a step of the dual encoder's training shows a pair otherwise than the last one did: in another of
    these ways, with or without its documentation.
    """

    query: int
    code: int
    pair: int
    symbol_header: bool = False
    documented: bool = False
    rewritten: bool = False
    varied: bool = False


@dataclass(frozen=True, slots=True)
class MixConfig:
    """Which examples are shown, how often, and beside which.

    `repeats`: source → how often an epoch of the dual encoder shows its pairs (0: never); all others once. `together`
    "source" or "language" makes each batch of one package or language, whose other codes are harder negatives than
    those of the whole corpus; "" mixes all. Hard negatives are found among, and students and a re-ranker of groups
    learn from, `studied` of the examples (0: all that are shown), which the trained encoder must read first.
    """

    repeats: Mapping[str, int] = field(default_factory=dict)
    together: str = ""
    studied: int = 0


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """What every training has: `epochs` over its examples, in batches of `batch`, of which `accumulate` make a step.

    With a `micro_batch` only so many rows go through the layers at a time, twice: memory follows it, the result does
    not (0: the whole batch, once).
    """

    epochs: float
    batch: int
    learning_rate: float
    warmup: float = 0.05
    weight_decay: float = 0.01
    dropout: float = 0.1
    accumulate: int = 1
    micro_batch: int = 0
    validations: int = 4
    patience: int = 0


@dataclass(frozen=True, slots=True)
class DualConfig:
    """The dual encoder; with 0 epochs it is the checkpoint's. `contrasts` are the parts of Eq. 4 that are trained on,
    and "search", Eq. 3 the other way round: a query among the codes of its batch, as in a search; "late" is the same by
    late interaction of their tokens, which a re-ranker starts from. `literal` leaves the positive out of the
    denominators of all but "late", as printed. `margin` belongs to the objective "margin" of the non-pre-trained
    baselines.

    `hard_epochs` more are then trained with `hard_negatives` mined codes for each question. At last as much of
    `backbone.checkpoint` is mixed back in as it takes for no kind of validation question to lose more than `forgotten`
    of its MRR against it (1: nothing is; `blending`), or, of the shares with which that is so, the one with which the
    questions of the sources `asked` are answered best.
    """

    training: TrainingConfig
    objective: str = "contrastive"
    contrasts: tuple[str, ...] = EQUATION_4
    temperature: float = TEMPERATURE
    literal: bool = False
    margin: float = 0.05
    hard_epochs: float = 0.0
    hard_negatives: int = 1
    hard_depth: int = 32
    forgotten: float = 1.0
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CrossStudentConfig:
    """A re-ranker of fewer `layers` that learns the scores which the full one gives; packs carry it where it is
    `shipped`."""

    layers: int
    training: TrainingConfig
    shipped: bool = False


@dataclass(frozen=True, slots=True)
class CrossConfig:
    """The re-ranker. `data` is "labelled" (matched and unmatched pairs as they stand in the corpus, Eq. 5), "random"
    (the training pairs, and as many unmatched ones drawn from them, which is how CodeBERT's labelled pairs came about)
    or "groups": a question, its answer and `negatives` others, mined with the dual encoder, from random to hard as
    training goes on; of the split "rerank", where the corpus has one.

    It starts from the "checkpoint" (the paper) or from the trained "dual" encoder's code side. `loss` is "pointwise"
    (Eq. 5) or "listwise". With a `recall_scale` above 0 a candidate's logit in training is
    `recall_scale` · cosine + logit. `depth`: how many of the best recalled codes are mined. A `student` needs groups.

    The head "late", for one encoder that serves both sides by mean pooling, keeps the encoder that it starts from
    as it is, carries its score, and learns what to add to it from `joint` more layers that read code and question
    together, beside the uppermost; it needs no `recall_scale`.

    Wrong codes are mined among `pool` examples drawn at random (0: among all that are studied), of one package or
    language where `mix.together` says so: of the best ten of thousands many are right, too. Only questions are learnt
    from whose right code and best wrong one have cosines at most `doubt` apart (2: all questions): of the others the
    dual encoder is sure.
    """

    training: TrainingConfig
    data: str = "groups"
    start: str = "checkpoint"
    head: str = "cls"
    loss: str = "pointwise"
    negatives: int = 5
    depth: int = 48
    recall_scale: float = 0.0
    joint: int = 0
    pool: int = 0
    doubt: float = 2.0
    student: CrossStudentConfig | None = None


@dataclass(frozen=True, slots=True)
class FurtherConfig:
    """How the student that Algorithm 1 keeps goes on learning: from all that could be asked of `studied` training
    examples (0: of all), of which the full encoder reads the first `codes` (0: all)."""

    training: TrainingConfig
    studied: int = 0
    codes: int = 0


@dataclass(frozen=True, slots=True)
class DistillConfig:
    """The students of the query encoder; `sizes` are the numbers of layers of Table 5 below the full one (0: a look-up
    of its tokens' embeddings).

    `queries` is "pairs" (the paper: the queries of the training pairs) or "all" (everything in the corpus that is or
    could be a question). Objectives with L_QT, whose positive is a second pass, train with `second_pass_dropout` in
    place of the others' dropout: without any, the two passes would be one.
    """

    training: TrainingConfig
    sizes: tuple[int, ...]
    queries: str = "pairs"
    second_pass_dropout: float = 0.1
    further: FurtherConfig | None = None


@dataclass(frozen=True, slots=True)
class AssistantConfig:
    """Algorithm 1: layers taken out at a time (P), and the drop of the score that is too much (T).

    The paper does not say what Validation scores. `score` is "recall", R@K with the pipeline's K, which bounds what
    re-ranking can do, and the only figure of the paper's tables whose drop is near its T at the size it keeps (3 layers
    in Table 5: R@5 0.009 to 0.013, MRR 0.014 to 0.029); or "mrr".
    """

    removed: int = 3
    threshold: float = 0.01
    score: str = "recall"


@dataclass(frozen=True, slots=True)
class EvaluateConfig:
    """The test sets: `languages` (none: all that fill a pool), in pools of `pool` functions, the first `candidates` (K)
    re-ranked, and for Figure 5 every K up to `most_candidates`.

    Ranking a whole pool by the cross-encoder alone is `pool` times as dear: `cross_questions` of each pool are asked
    so (0: all). A validation asks `valid_questions` of each kind, or `valid_reranked` where it re-ranks.

    Without `tables` a run makes packs and no more: of the students those that Algorithm 1 trains, and no scores beside
    those in the packs' cards.
    """

    languages: tuple[str, ...] = ("python", "java")
    pool: int = 1000
    candidates: int = 5
    most_candidates: int = 10
    cross_questions: int = 0
    valid_questions: int = 1000
    valid_reranked: int = 200
    timed_questions: int = 200
    timing_rounds: int = 5
    tables: bool = True


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """What a quantised variant may cost of the float32 models' mean validation MRR (`gate`).

    With `weights` packs carry the code encoder's weights in float16, too: each is a checkpoint to train on from. The
    application reads `code_tokens` of a code and `pair_tokens` of a pair (0: as many as training did).
    """

    gate: float = 0.003
    weights: bool = False
    code_tokens: int = 0
    pair_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run makes, its inputs apart. Absent sections are steps that are left out."""

    name: str
    version: str
    seed: int
    backbone: BackboneConfig
    text: TextConfig
    data: DataConfig
    dual: DualConfig
    mix: MixConfig = field(default_factory=MixConfig)
    cross: CrossConfig | None = None
    distill: DistillConfig | None = None
    assistants: AssistantConfig = field(default_factory=AssistantConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    export: ExportConfig | None = None
    precision: str = "auto"
    notes: str = ""


def fingerprint(*parts: Any) -> str:
    """16 hex digits that change with any value of any part: a config, or plain values that JSON knows."""
    plain = [asdict(p) if is_dataclass(p) and not isinstance(p, type) else p for p in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]

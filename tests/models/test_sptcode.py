"""SPT-Code's three sequences against hand-made ones, and how its input is put together and cut."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.base import Code, Features
from spencer_models.backbones.sptcode import SPECIALS, SptCode
from spencer_models.structure.source import read_source
from spencer_models.structure.syntax_sequence import called_names, code_words, syntax_words
from tests.models.checkpoints import write_sptcode

PYTHON = """def read(self, path):
    # all of them
    rows = []
    for line in open(path, "r"):
        if not line.strip():
            continue
        rows.append(self.parse(line)[0](f"{line}!"))
    return rows
"""
JAVA = """@Override
public int count(String text) {
    int n = 0; // so far
    for (int i = 0; i < text.length(); i++) {
        if (text.charAt(i) == 'a') n++;
    }
    return n;
}"""


def test_tokens_are_words_without_comments_and_literals() -> None:
    python = (
        "def read ( self , path ) : rows = [ ] for line in open ( path , ___STR ) : if not line . strip ( ) : continue"
    )
    python += " rows . append ( self . parse ( line ) [ 0 ] ( ___STR ) ) return rows"
    assert " ".join(code_words(read_source(PYTHON, "python"))) == python
    java = (
        "@ Override public int count ( String text ) { int n = 0 ; for ( int i = 0 ; i < text . length ( ) ; i ++ ) {"
    )
    java += " if ( text . charAt ( i ) == ___STR ) n ++ ; } return n ; }"
    assert " ".join(code_words(read_source(JAVA, "java"))) == java


def test_the_linear_tree_has_tags_of_statements_and_expressions() -> None:
    assert syntax_words(read_source(PYTHON, "python"), 100) == [
        *["expression_statement__", "assignment", "__expression_statement"],
        "for_statement__",
        *["if_statement__", "continue_statement", "__if_statement"],
        "expression_statement",
        "__for_statement",
        "return_statement",
    ]
    assert syntax_words(read_source(JAVA, "java"), 100) == [
        "local_variable_declaration",
        "for_statement__",
        *["local_variable_declaration", "binary_expression", "update_expression"],
        "if_statement__",
        *["parenthesized_expression__", "binary_expression", "__parenthesized_expression"],
        *["expression_statement__", "update_expression", "__expression_statement"],
        "__if_statement",
        "__for_statement",
        "return_statement",
    ]


@pytest.mark.parametrize(("code", "language"), [(PYTHON, "python"), (JAVA, "java")])
def test_the_first_words_of_the_linear_tree_do_not_depend_on_how_many_are_asked(code: str, language: str) -> None:
    source = read_source(code, language)
    whole = syntax_words(source, 1000)
    assert [syntax_words(source, limit) for limit in range(len(whole) + 3)] == [
        whole[:limit] for limit in range(len(whole) + 3)
    ]


def test_called_names_stand_in_the_order_of_the_source() -> None:
    assert called_names(read_source(PYTHON, "python")) == ["open", "strip", "append", "parse"]
    assert called_names(read_source(JAVA, "java")) == ["length", "charAt"]
    chain = "void f() { a.first(second()).third(new Fourth(fifth())); super.sixth(); this.<T>seventh(); }"
    assert called_names(read_source(chain, "java")) == ["first", "second", "third", "fifth", "sixth", "seventh"]


@pytest.mark.parametrize("language", ["python", "java"])
@pytest.mark.parametrize("code", ["", "(" * 5000, "f(" * 3000, "if x:" * 1500, "{" * 5000, "\udcff \x00 é"])
def test_any_text_has_its_sequences(code: str, language: str) -> None:
    source = read_source(code, language)
    assert all(code_words(source))
    assert len(syntax_words(source, 50)) <= 50
    assert isinstance(called_names(source), list)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sptcode")
    write_sptcode(folder)
    return folder


@pytest.fixture(scope="module")
def backbone(folder: Path) -> SptCode:
    return SptCode(folder)


def _sizes(folder: Path) -> list[int]:
    return [Tokenizer.from_file(str(folder / f"{p}_tokenizer.json")).get_vocab_size() for p in ("code", "nl", "ast")]


def _rows(folder: Path, features: Features) -> list[str]:
    """The rows in words, without padding: "c:", "n:" and "a:" before those of code, names and syntax."""
    words: dict[int, str] = dict(enumerate(SPECIALS))
    start = 0
    for part in ("code", "nl", "ast"):
        tokenizer = Tokenizer.from_file(str(folder / f"{part}_tokenizer.json"))
        own = {number: token for token, number in tokenizer.get_vocab().items() if number >= len(SPECIALS)}
        words |= {start + number: f"{part[0]}:{token}" for number, token in own.items()}
        start += tokenizer.get_vocab_size()
    rows = zip(features["input_ids"].tolist(), features["attention_mask"].tolist(), strict=True)
    return [" ".join(words[i] for i, real in zip(ids, mask, strict=True) if real) for ids, mask in rows]


READ = Code("def read(path):\n    return open(path).read()", "python")
READ_CODE = "c:def c:read c:( c:path c:) c:: c:return c:open c:( c:path c:) c:. c:read c:( c:)"


def test_code_syntax_and_names_follow_one_another(backbone: SptCode, folder: Path) -> None:
    names = "n:read n:open n:read"
    named = Code(READ.text, "python", "Files.sortLines")
    add = Code("int add(int a, int b) { return a + b; }", "java")
    java = "c:int c:add c:( c:int c:a c:, c:int c:b c:) c:{ c:return c:a c:+ c:b c:; c:}"
    syntax = "a:return_statement__ a:binary_expression a:__return_statement"
    assert _rows(folder, backbone.codes([READ, named, add], 64)) == [
        f"[SOS] {READ_CODE} [SEP] a:return_statement [SEP] {names} [EOS]",
        f"[SOS] {READ_CODE} [SEP] a:return_statement [SEP] n:sort n:lines n:open n:read [EOS]",
        f"[SOS] {java} [SEP] {syntax} [SEP] n:add [EOS]",
    ]


def test_questions_have_the_vocabulary_of_names(backbone: SptCode, folder: Path) -> None:
    assert _rows(folder, backbone.queries(["Read  a File\n", "", "zzz"], 6)) == [
        "[SOS] n:read n:a n:file [EOS]",
        "[SOS] [EOS]",
        "[SOS] [UNK] [UNK] [UNK] [EOS]",
    ]
    assert _rows(folder, backbone.queries(["read " * 50], 6)) == [f"[SOS]{' n:read' * 4} [EOS]"]


def test_a_pair_is_a_code_and_a_question(backbone: SptCode, folder: Path) -> None:
    pairs = [(READ, "read a file"), (READ, "read " * 50)]
    start = f"[SOS] {READ_CODE} [SEP] a:return_statement [SEP]"
    whole, cut = _rows(folder, backbone.pairs(pairs, 64))
    assert whole == f"{start} n:read n:open n:read [SEP] n:read n:a n:file [EOS]"
    # Half of the 64, its end included.
    assert cut.rpartition(" [SEP] ")[2] == f"{'n:read ' * 31}[EOS]"
    assert len(cut.split()) <= 64


def test_the_parts_share_the_length_as_in_pre_training(backbone: SptCode, folder: Path) -> None:
    lines = "\n".join("    if path: read(path); print(path)" for _ in range(30))
    (row,) = _rows(folder, backbone.codes([Code(f"def read(path):\n{lines}", "python")], 1 + 352 // 8))
    code, syntax, names = row.split(" [SEP] ")
    assert [len(code.split()) - 1, len(syntax.split()), len(names.split()) - 1] == [
        256 // 8 - 1,
        32 // 8 - 1,
        64 // 8 - 1,
    ]
    assert row.endswith("n:print [EOS]")


def test_other_languages_are_refused(backbone: SptCode) -> None:
    with pytest.raises(UserError, match="Python and Java"):
        backbone.codes([Code("fn main() {}", "rust")], 64)


@pytest.mark.parametrize("prefix", ["encoder.", ""])
def test_the_encoder_is_found_under_its_other_names(
    backbone: SptCode, folder: Path, prefix: str, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "other")
    start = "model.encoder."
    weights = load_file(folder / "model.safetensors")
    own = {prefix + name[len(start) :]: weight for name, weight in weights.items() if name.startswith(start)}
    if prefix:
        # The embeddings may stand there once, for both halves of the model.
        own["shared.weight"] = own.pop("encoder.embed_tokens.weight")
        own["decoder.layernorm_embedding.bias"] = torch.zeros(3)
    save_file(own, tmp_path / "other/model.safetensors")
    expected, found = backbone.stack(folder).state_dict(), SptCode(tmp_path / "other").stack(tmp_path / "other")
    assert all(torch.equal(weight, expected[name]) for name, weight in found.state_dict().items())


def test_vocabularies_of_another_checkpoint_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "mixed")
    tokenizer = Tokenizer.from_file(str(folder / "nl_tokenizer.json"))
    tokenizer.add_tokens([f"new{number}" for number in range(sum(_sizes(folder)))])
    tokenizer.save(str(tmp_path / "mixed/nl_tokenizer.json"))
    with pytest.raises(UserError, match=f"the config {sum(_sizes(folder))}"):
        SptCode(tmp_path / "mixed")
    text = (folder / "nl_tokenizer.json").read_text(encoding="utf-8").replace("[SEP]", "[CLS]")
    (tmp_path / "mixed/nl_tokenizer.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="special tokens differ"):
        SptCode(tmp_path / "mixed")

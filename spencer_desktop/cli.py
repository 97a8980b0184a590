"""The `spencer` command.

Exit codes: 0 found or done, 1 nothing found, 2 wrong usage or an unfit environment, 70 a bug in this program (with its
traceback), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from spencer_desktop import __version__, bench, demo, doctor, fusion, service
from spencer_desktop import cli_output as out
from spencer_desktop.core.engine import Engine
from spencer_desktop.core.errors import SpencerError, UserError
from spencer_desktop.core.index import has_catalog
from spencer_desktop.core.settings import load_settings
from spencer_desktop.core.types import Filters, Mode, Query, SearchUpdate, Stage
from spencer_desktop.interruption import interruptible
from spencer_desktop.questions import batch_questions, code_place, piped_code

app = typer.Typer(
    name="spencer",
    help="Ask your own code a question. Everything stays on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(help="The model packs on this machine.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(models, name="models")

_BUG = 70
# Click's, or that of the copy of click inside newer versions of Typer.
_UsageError: Any = typer.BadParameter.__base__
_NO_OPTION = re.compile(r"--?[^\w-]")
_NONE_REGISTERED = "No folder is registered yet"
_HOW_TO_REGISTER = "Give one: spencer index FOLDER"

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]
Limit = Annotated[int, typer.Option("-k", "--limit", min=1, max=1000, help="How many answers.")]
Repos = Annotated[list[str] | None, typer.Option("--repo", help="Only this repository, by name or path. Repeatable.")]
Langs = Annotated[list[str] | None, typer.Option("--lang", help="Only this language. Repeatable.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Only function, method, class or window. Repeatable.")]
Globs = Annotated[list[str] | None, typer.Option("--path", help="Only paths that match, as in .gitignore. Repeatable.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"spencer {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    context: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep the index here (also SPENCER_DATA_DIR).", show_default=False)
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    context.obj = data_dir


@contextmanager
def _engine(context: typer.Context) -> Iterator[Engine]:
    with Engine.open(load_settings(data_dir=context.obj)) as engine:
        yield engine


@app.command()
def index(
    context: typer.Context,
    paths: Annotated[list[Path] | None, typer.Argument(help="Folders; without any, all that are registered.")] = None,
    as_json: Json = False,
) -> None:
    """Register folders and bring their index up to date. Ctrl-C stops safely; the next run goes on from there."""
    with _engine(context) as engine, interruptible() as stopped, out.index_bars(quiet=as_json) as bars:
        if not paths and not has_catalog(engine.settings.data_dir):
            raise UserError(_NONE_REGISTERED, hint=_HOW_TO_REGISTER)
        report = engine.index(paths or [], progress=bars, cancelled=stopped)
    if as_json:
        out.print_json(out.report_json(report))
    else:
        out.print_report(report)
        if report.encoded:
            out.note(engine.models.device_note())
    if report.stopped:
        raise typer.Exit(130)
    if report.faults:
        raise typer.Exit(2)


class _QuestionCommand(TyperCommand):
    """A question may begin with a dash ("->") where it cannot be meant as an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        valued = {name for p in self.params if not getattr(p, "is_flag", True) for name in p.opts}
        end = args.index("--") if "--" in args else len(args)
        plain: list[str] = []
        dashed: list[str] = []
        is_value = False
        for argument in args[:end]:
            (dashed if not is_value and _NO_OPTION.match(argument) else plain).append(argument)
            is_value = not is_value and argument in valued
        # After an option that lacks its value, "--" would become it.
        rest = [] if is_value else ["--", *dashed, *args[end + 1 :]]
        try:
            return super().parse_args(ctx, [*plain, *rest])
        except _UsageError as error:
            if not hasattr(error, "possibilities"):  # only an unknown option has them
                raise
            hint = "A question that begins with a dash goes after two: spencer search -- '-webkit-box'"
            raise UserError(error.format_message(), hint=hint) from error


def _filters(*given: list[str] | None) -> Filters:
    """Repositories, languages, path patterns and kinds, as options give them."""
    return Filters(*(tuple(values or ()) for values in given))


@app.command(cls=_QuestionCommand)
def search(
    context: typer.Context,
    query: Annotated[str | None, typer.Argument(help="A question, a symbol, or a pattern (with --mode regex).")] = None,
    limit: Limit = 10,
    repo: Repos = None,
    lang: Langs = None,
    path: Globs = None,
    kind: Kinds = None,
    mode: Annotated[Mode, typer.Option(help="How to look for it.")] = Mode.HYBRID,
    rerank: Annotated[bool | None, typer.Option("--rerank/--no-rerank", help="Read the best again.")] = None,
    signals: Annotated[bool, typer.Option("--signals/--no-signals", help="Let names, paths and files count.")] = True,
    batch: Annotated[Path | None, typer.Option(help='Answer a file of {"id": …, "query": …} lines.')] = None,
    as_json: Json = False,
) -> None:
    """Find code that answers a question."""
    if (query is None) == (batch is None):
        raise UserError("Give either a question or --batch FILE", hint="For example: spencer search 'parse a date'")
    filters = _filters(repo, lang, path, kind)
    with _engine(context) as engine:
        if batch is not None:
            code = _answer_batch(engine, batch, Query("", limit, mode, filters, rerank, signals))
        else:
            update = _last(engine.search(Query(query or "", limit, mode, filters, rerank, signals)))
            code = _show(update, {"query": query, "mode": mode.value}, as_json)
    raise typer.Exit(code)


def _last(updates: Iterator[SearchUpdate]) -> SearchUpdate:
    *_, update = updates
    return update


def _show(update: SearchUpdate, asked: dict[str, Any], as_json: bool) -> int:
    """Print an answer; the exit code that goes with it."""
    if as_json:
        out.print_json({**asked, **out.update_json(update)})
    else:
        out.print_hits(update.hits)
        for note in out.notes(update):
            out.note(note)
    return 0 if update.hits else 1


def _answer_batch(engine: Engine, file: Path, template: Query) -> int:
    """One line of JSON for each question, in order; the exit code that goes with all of them.

    A question that cannot be answered has no hits, and the reason goes to stderr.
    """
    code = 1
    for number, (key, text) in enumerate(batch_questions(file), 1):
        try:
            update = _last(engine.search(replace(template, text=text)))
        except UserError as error:
            out.note(f"question {number}: {error}")
            code = 2 if code else 0
            update = SearchUpdate(Stage.RECALL, (), 0.0)
        if update.hits:
            code = 0
        out.print_json({"id": key, **out.update_json(update)})
    return code


@app.command()
def similar(
    context: typer.Context,
    place: Annotated[
        str, typer.Argument(metavar="FILE:LINE", help="A line of an indexed file, or - for code on standard input.")
    ],
    limit: Limit = 10,
    repo: Repos = None,
    lang: Langs = None,
    path: Globs = None,
    kind: Kinds = None,
    as_json: Json = False,
) -> None:
    """Find code like the code at FILE:LINE, or like code that is piped in."""
    filters = _filters(repo, lang, path, kind)
    at = None if place == "-" else code_place(place)
    with _engine(context) as engine:
        ask = partial(engine.similar, *at) if at else partial(engine.similar_to, piped_code())
        update = ask(limit=limit, filters=filters)
    raise typer.Exit(_show(update, {"place": place}, as_json))


@app.command("list")
def list_repositories(
    context: typer.Context,
    skipped: Annotated[str | None, typer.Option(help="Show what was left out of this repository, and why.")] = None,
    as_json: Json = False,
) -> None:
    """Show the indexed repositories, or the files that one of them leaves out."""
    with _engine(context) as engine:
        if skipped is not None:
            rows = engine.skipped(skipped)
            if as_json:
                out.print_json([{"path": path, "reason": row.reason} for path, row in rows.items()])
            for path, row in () if as_json else rows.items():
                typer.echo(out.on_one_line(f"{path}  ({row.reason})"))
            raise typer.Exit(0 if rows else 1)
        repositories = engine.repositories() if has_catalog(engine.settings.data_dir) else []
    if as_json:
        out.print_json([out.repository_json(row) for row in repositories])
    elif repositories:
        out.print_repositories(repositories)
    else:
        out.note(f"{_NONE_REGISTERED}. {_HOW_TO_REGISTER}")
    raise typer.Exit(0 if repositories else 1)


@app.command()
def remove(
    context: typer.Context,
    repository: Annotated[str, typer.Argument(metavar="PATH", help="The folder or its name.")],
    as_json: Json = False,
) -> None:
    """Forget a repository: its text and vectors leave the index for good. Your files are not touched."""
    with _engine(context) as engine:
        removed = engine.remove(repository)
    if as_json:
        out.print_json({"removed": removed.name, "root": str(removed.root)})
    else:
        out.note(f"Forgot {removed.root}")


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show what is indexed, with which models, and where."""
    with _engine(context) as engine:
        facts = doctor.status(engine)
    if as_json:
        out.print_json(facts)
    else:
        doctor.print_status(facts)


@app.command("doctor")
def run_doctor(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Make a damaged index anew.")] = False,
    as_json: Json = False,
) -> None:
    """Check the installation, the model pack and the index."""
    if repair:
        with _engine(context) as engine, interruptible() as stopped, out.index_bars(quiet=as_json) as bars:
            report = engine.repair(progress=bars, cancelled=stopped) if has_catalog(engine.settings.data_dir) else None
        if report and not as_json:
            out.print_report(report)
    findings = doctor.examine(load_settings(data_dir=context.obj))
    if as_json:
        out.print_json([finding.as_json() for finding in findings])
    else:
        doctor.print_findings(findings)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 2)


@models.command("list")
def list_models(context: typer.Context, as_json: Json = False) -> None:
    """Show the model pack in use."""
    facts = doctor.pack_facts(load_settings(data_dir=context.obj).pack_dir)
    if as_json:
        out.print_json([facts])
    else:
        doctor.print_pack(facts)


@models.command("verify")
def verify_models(
    context: typer.Context,
    directory: Annotated[Path | None, typer.Argument(help="A pack's folder; without it, the one in use.")] = None,
    as_json: Json = False,
) -> None:
    """Check every file of a model pack against its manifest, and run every graph."""
    facts = doctor.verify_pack(directory or load_settings(data_dir=context.obj).pack_dir)
    if as_json:
        out.print_json(facts)
    else:
        out.note(f"{facts['directory']}: every file is as its manifest says, and every graph runs.")


@app.command("demo")
def run_demo(context: typer.Context, as_json: Json = False) -> None:
    """Index this program's own code and answer three questions about it."""
    with out.index_bars(quiet=as_json) as bars:
        answers = demo.run(load_settings(data_dir=context.obj), bars)
    if as_json:
        out.print_json([{"query": question, "hits": out.hits_json(hits)} for question, hits in answers])
        return
    for question, hits in answers:
        out.console().print(f"\n? {question}\n", style="bold")
        out.print_hits(hits)


@app.command("bench")
def run_bench(
    context: typer.Context,
    queries: Annotated[int, typer.Option(min=10, help="How many questions to time.")] = 100,
    chunks: Annotated[int, typer.Option(min=100, help="How many chunks to index for the throughput.")] = 1500,
    rounds: Annotated[int, typer.Option(min=1, help="Throughput rounds, pipeline and bare encoder in turn.")] = 3,
    as_json: Json = False,
) -> None:
    """Measure speed, memory, size and recall on what is indexed."""
    with _engine(context) as engine:
        result = bench.run(engine, queries=queries, chunks=chunks, rounds=rounds, say=out.note)
    out.print_json(result) if as_json else bench.print_result(result)


@app.command()
def weigh(
    context: typer.Context,
    questions: Annotated[Path, typer.Argument(help='{"query": …, "path": …[, "line": …]} lines.')],
    as_json: Json = False,
) -> None:
    """Compare fusion weights on questions about what is indexed whose answers are known."""
    with _engine(context) as engine:
        result = fusion.compare(engine, questions, out.note)
    out.print_json(result) if as_json else fusion.print_result(result)


@app.command("service", hidden=True)
def run_service(context: typer.Context) -> None:
    """Index as the lines on standard input say, for a window."""
    service.run(load_settings(data_dir=context.obj))


@app.command()
def gui(
    context: typer.Context,
    paths: Annotated[list[Path] | None, typer.Argument(help="Folders to add.")] = None,
) -> None:
    """Open the window."""
    # Qt is loaded by nobody else.
    from spencer_desktop.gui import app as window

    raise typer.Exit(window.run(partial(load_settings, data_dir=context.obj), paths or []))


def main() -> None:
    """Entry point of the `spencer` command."""
    out.use_tolerant_streams()
    try:
        app()
    except SpencerError as error:
        out.print_error(error)
        sys.exit(2)
    except Exception:  # noqa: BLE001 - nothing is hidden
        # Python's own exit code for it, 1, would read as "nothing found".
        traceback.print_exc()
        sys.exit(_BUG)


if __name__ == "__main__":
    main()

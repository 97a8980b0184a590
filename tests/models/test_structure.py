"""API sequences, statements and their dependencies, against ones made by hand."""

from __future__ import annotations

import random
from textwrap import dedent

import numpy as np
import pytest

from spencer_desktop.core.errors import UserError
from spencer_models.structure.api_calls import api_calls
from spencer_models.structure.source import LANGUAGES, Source, function_name, identifier_words, read_source
from spencer_models.structure.statements import dependency_rows, read_statements

PYTHON_CALLS = {
    "nested calls: receiver, arguments, call": (
        """
        def total(path):
            with open(os.path.join(root(), path)) as file:
                return sum(map(float, file.read().strip().split(sep())))
        """,
        ["root", "os.path.join", "open", "file.read", "strip", "sep", "split", "map", "sum"],
    ),
    "the value before the target, the condition before both values": (
        """
        def store(self, cells):
            cells[self.key(1)] = yes() if check() else no()
            cells[at()] += more()
        """,
        ["check", "yes", "no", "self.key", "at", "more"],
    ),
    "loops, branches and comprehensions": (
        """
        def tidy(xs):
            for x in sorted(xs):
                if keep(x):
                    log.info("kept")
                else:
                    drop(x)
            while more():
                step()
            return [clean(x) for x in load(xs) if valid(x)]
        """,
        ["sorted", "keep", "log.info", "drop", "more", "step", "load", "valid", "clean"],
    ),
    "things without a name": (
        """
        def odd(table, key):
            table[key](first())()
            (left or right).run()
            "".join(parts())
        """,
        ["first", "run", "parts", "join"],
    ),
}

JAVA_CALLS = {
    "types of parameters, variables, literals and casts": (
        """
        String read(File file, List<String> names) throws IOException {
            BufferedReader reader = new BufferedReader(new FileReader(file));
            var seen = new java.util.HashSet<String>();
            seen.add("a".concat(names.get(0)));
            int[] sizes = measure(((Shape) thing).area());
            sizes.clone();
            return reader.readLine();
        }
        """,
        "FileReader.new BufferedReader.new HashSet.new List.get String.concat HashSet.add Shape.area measure clone "
        "BufferedReader.readLine".split(),
    ),
    "the step of a loop after its body": (
        """
        void each(Queue<Job> jobs) {
            for (int i = start(); i < jobs.size(); i = next(i)) {
                if (ready()) { jobs.poll(); } else { idle(); }
            }
            do { work(); } while (busy());
        }
        """,
        ["start", "Queue.size", "ready", "Queue.poll", "idle", "next", "work", "busy"],
    ),
    "classes by name, this and super, unknown receivers": (
        """
        private Map<String, Long> cache;
        void run() {
            java.util.Collections.sort(items);
            System.out.println(Map.Entry.comparingByKey());
            this.cache.clear();
            this.flush();
            super.run();
            items.first().stop();
        }
        """,
        "Collections.sort Map.Entry.comparingByKey System.out.println Map.clear flush super.run first stop".split(),
    ),
    "resources, handlers, patterns, lambdas and anonymous classes": (
        """
        void copy(Object source) {
            try (Writer out = Files.open(source)) { out.flush(); }
            catch (final IOException | Fault e) { e.print(); }
            if (source instanceof Feed feed && feed.ready()) { feed.next(); }
            names.forEach(out -> out.close());
            start(new Task(limit()) { void go() { inner(); } });
        }
        """,
        "Files.open Writer.flush IOException.print Feed.ready Feed.next close forEach limit Task.new inner "
        "start".split(),
    ),
}


def source_of(code: str, language: str) -> Source:
    return read_source(dedent(code).strip(), language)


@pytest.mark.parametrize(("code", "calls"), PYTHON_CALLS.values(), ids=PYTHON_CALLS)
def test_api_sequence_of_python(code: str, calls: list[str]) -> None:
    assert api_calls(source_of(code, "python")) == calls


@pytest.mark.parametrize(("code", "calls"), JAVA_CALLS.values(), ids=JAVA_CALLS)
def test_api_sequence_of_java(code: str, calls: list[str]) -> None:
    assert api_calls(source_of(code, "java")) == calls


# Head of a statement, the head that decides whether it runs, and the statements whose values it reads.
Rows = list[tuple[str, int | None, set[int]]]

PYTHON_STATEMENTS: dict[str, tuple[str, Rows]] = {
    "branches": (
        '''
        def sign(x, log):
            """Documentation is no statement."""
            y = 0
            if x > 0:  # nor is a comment
                y = 1
                y = y + x
            elif x:
                y = -1
            else:
                log(y)
            return y
        ''',
        [
            ("def sign(x, log)", None, set()),
            ("y = 0", None, set()),
            ("if x > 0", None, {0}),
            ("y = 1", 2, set()),
            ("y = y + x", 2, {0, 3}),
            ("elif x", 2, {0}),
            ("y = -1", 5, set()),
            ("log(y)", 5, {0, 1}),
            # Not 3, which 4 surely replaces; 1, because not every branch gives y a value.
            ("return y", None, {1, 4, 6}),
        ],
    ),
    "loops": (
        """
        def count(lines):
            seen = {}
            for number, line in enumerate(lines):
                if line in seen:
                    continue
                seen[line] = number
                while number:
                    number -= 1
                else:
                    break
            return seen, number
        """,
        [
            ("def count(lines)", None, set()),
            ("seen = {}", None, set()),
            ("for number, line in enumerate(lines)", None, {0}),
            ("if line in seen", 2, {1, 2}),
            ("continue", 3, set()),
            ("seen[line] = number", 2, {1, 2}),
            ("while number", 2, {2}),
            ("number -= 1", 6, {2}),
            ("break", 6, set()),
            ("return seen, number", None, {1, 2, 5, 7}),
        ],
    ),
    "handlers, with, import and attributes": (
        """
        def load(self, path):
            import json as reader
            try:
                with open(path) as file:
                    data = reader.load(file)
            except OSError as error:
                data = str(error)
            except ValueError:
                raise
            finally:
                self.done = True
            self.data = [x for x in data]
            return self.data, self.done
        """,
        [
            ("def load(self, path)", None, set()),
            ("import json as reader", None, set()),
            ("with open(path) as file", None, {0}),
            ("data = reader.load(file)", None, {1, 2}),
            ("except OSError as error", None, set()),
            ("data = str(error)", 4, {4}),
            ("except ValueError", None, set()),
            ("raise", 6, set()),
            ("self.done = True", None, {0}),
            ("self.data = [x for x in data]", None, {0, 3, 5}),
            ("return self.data, self.done", None, {0, 8, 9}),
        ],
    ),
    "nested functions and cases": (
        """
        def pick(value):
            def twice(value):
                doubled = value * 2
                return doubled
            match value:
                case [first, *rest] if rest:
                    value = first
                case Point(x=first):
                    pass
            return twice(value), doubled
        """,
        [
            ("def pick(value)", None, set()),
            ("def twice(value)", None, set()),
            ("doubled = value * 2", None, {1}),
            ("return doubled", None, {2}),
            ("match value", None, {0}),
            ("case [first, *rest] if rest", 4, set()),
            ("value = first", 5, {5}),
            ("case Point(x=first)", 4, set()),
            ("pass", 7, set()),
            # `doubled` is the inner function's own.
            ("return twice(value), doubled", None, {0, 1, 6}),
        ],
    ),
}

JAVA_STATEMENTS: dict[str, tuple[str, Rows]] = {
    "loops": (
        """
        public static int sum(int[] xs, int n) {
            int s = 0;
            for (int i = 0; i < n; i++) { s += xs[i]; }
            for (int i = 1; i < n; i++) s -= i;
            for (int x : xs) s = x;
            do { s--; } while (s > 0);
            return s;
        }
        """,
        [
            ("int sum(int[] xs, int n)", None, set()),
            ("int s = 0", None, set()),
            ("for (int i = 0; i < n; i++)", None, {0}),
            ("s += xs[i]", 2, {0, 1, 2}),
            ("for (int i = 1; i < n; i++)", None, {0}),
            ("s -= i", 4, {1, 3, 4}),
            ("for (int x : xs)", None, {0}),
            ("s = x", 6, {6}),
            ("s--", None, {1, 3, 5, 7}),
            ("(s > 0)", None, {8}),
            ("return s", None, {8}),
        ],
    ),
    "branches, and a value assigned in a condition": (
        """
        String next(Reader in) throws IOException {
            String line;
            while ((line = in.read()) != null) {
                if (line.isEmpty()) continue;
                else if (line.equals(end)) { this.last = line; break; }
                else line = line.trim();
            }
            return line + this.last;
        }
        """,
        [
            ("String next(Reader in) throws IOException", None, set()),
            ("String line", None, set()),
            ("while ((line = in.read()) != null)", None, {0}),
            ("if (line.isEmpty())", 2, {2}),
            ("continue", 3, set()),
            ("if (line.equals(end))", 3, {2}),
            ("this.last = line", 5, {2}),
            ("break", 5, set()),
            ("line = line.trim()", 5, {2}),
            ("return line + this.last", None, {2, 6, 8}),
        ],
    ),
    "old and new cases": (
        """
        int code(Object o, int t) {
            switch (t) { case 1: t = 3; default: use(t); }
            switch (o) { case Box b -> t = b.size; default -> use(t); }
            return t;
        }
        """,
        [
            ("int code(Object o, int t)", None, set()),
            ("switch (t)", None, {0}),
            ("case 1", 1, set()),
            ("t = 3", 2, set()),
            ("default", 1, set()),
            # The first case falls through into the second.
            ("use(t)", 4, {0, 3}),
            ("switch (o)", None, {0}),
            ("case Box b", 6, set()),
            ("t = b.size", 7, {7}),
            ("default", 6, set()),
            ("use(t)", 9, {0, 3}),
            ("return t", None, {0, 3, 8}),
        ],
    ),
    "a constructor with resources, handlers and a lambda": (
        """
        Job(Path path) {
            super(path);
            try (Feed feed = open(path); other) {
                feed.each((a, b) -> { int c = a + path; });
            } catch (IOException | Fault e) {
                throw new Error(e);
            } finally {
                synchronized (this) { close(path); }
            }
        }
        """,
        [
            ("Job(Path path)", None, set()),
            ("super(path)", None, {0}),
            ("(Feed feed = open(path); other)", None, {0}),
            ("feed.each((a, b) -> { int c = a + path; })", None, {0, 2}),
            ("catch (IOException | Fault e)", None, set()),
            ("throw new Error(e)", 4, {4}),
            ("synchronized (this)", None, set()),
            ("close(path)", None, {0}),
        ],
    ),
}


def statement_rows(code: str, language: str) -> Rows:
    return [(s.text, s.control, set(s.data)) for s in read_statements(source_of(code, language), 100)]


@pytest.mark.parametrize(("code", "rows"), PYTHON_STATEMENTS.values(), ids=PYTHON_STATEMENTS)
def test_statements_of_python(code: str, rows: Rows) -> None:
    assert statement_rows(code, "python") == rows


@pytest.mark.parametrize(("code", "rows"), JAVA_STATEMENTS.values(), ids=JAVA_STATEMENTS)
def test_statements_of_java(code: str, rows: Rows) -> None:
    assert statement_rows(code, "java") == rows


def test_the_dependency_matrix_joins_both_kinds_and_is_cut() -> None:
    statements = read_statements(source_of("def f(x):\n    if x:\n        x = g(x)\n    return x", "python"), 100)
    assert dependency_rows(statements, 5).tolist() == [
        [0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 0, 1, 0, 0],
    ]
    assert dependency_rows(statements, 1).tolist() == [[0], [1], [1], [1]]


def test_the_limit_keeps_the_first_statements_as_they_are() -> None:
    source = source_of(PYTHON_STATEMENTS["branches"][0], "python")
    assert read_statements(source, 4) == read_statements(source, 100)[:4]


def test_words_of_statements_are_those_of_identifiers_or_the_first_sign() -> None:
    source = source_of("def f(is_openFile):\n    if is_openFile: return\n    pass\n    self.openFile(2)", "python")
    assert [s.words for s in read_statements(source, 9)] == [
        ("f", "open", "file"),
        ("open", "file"),
        ("return",),
        ("pass",),
        ("open", "file"),
    ]


def test_words_are_split_and_unique_and_leave_out_stop_words_keywords_and_texts() -> None:
    source = source_of('int readAll(List<URL> theUrls) { return read("some text", theUrls.size()); }', "java")
    assert identifier_words(source, [source.root]) == ["read", "all", "list", "url", "urls", "size"]


@pytest.mark.parametrize(
    ("code", "language", "name"),
    [
        ("@cached\nasync def load(x):\n    def inner(): pass", "python", "load"),
        ("def load ( x ) : return x y = 3", "python", "load"),
        ("x = 3", "python", ""),
        ("@Override public <T> T load(T x) { return x; }", "java", "load"),
        ("public Job(int x) { super(x); }", "java", "Job"),
        ("int x = 3;", "java", ""),
    ],
)
def test_function_name(code: str, language: str, name: str) -> None:
    assert function_name(read_source(code, language)) == name


def test_other_languages_are_an_error_with_a_hint() -> None:
    with pytest.raises(UserError) as caught:
        read_source("fn main() {}", "rust")
    assert "rust" in str(caught.value)
    assert caught.value.hint


def test_damaged_code_is_read_as_far_as_it_goes() -> None:
    """Statements depend on earlier ones only and have words, whatever is cut out of a function."""
    choice = random.Random(0)
    texts = [code for code, _ in (*PYTHON_STATEMENTS.values(), *JAVA_STATEMENTS.values(), *JAVA_CALLS.values())]
    for _ in range(300):
        text = choice.choice(texts)
        start = choice.randrange(len(text))
        source = read_source(text[:start] + text[start + choice.randrange(40) :], choice.choice(LANGUAGES))
        statements = read_statements(source, 50)
        assert all(s.words and s.text for s in statements)
        assert not np.triu(dependency_rows(statements, 50)).any()
        assert all(api_calls(source))
        function_name(source)


@pytest.mark.parametrize("piece", ["(", "{", "if(x)", "if x:", "f((", "a=", "a.b", "lambda x:", "[x for x in "])
def test_depth_is_no_danger(piece: str) -> None:
    for language in LANGUAGES:
        source = read_source(piece * (6000 // len(piece)), language)
        api_calls(source)
        identifier_words(source, [source.root])
        assert len(read_statements(source, 20)) <= 20

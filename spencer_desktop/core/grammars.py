"""What counts as a definition in each language: the tree-sitter grammars and one query for each.

Captures that the outline reads. On the definition itself: `function` (a method where the definition around it is a
class), `method`, `class` (a chunk for its header, methods inside), `extension` (of a class defined elsewhere: its bare
header is no chunk), `module` (a class whose functions are no methods), `scope` (only qualifies names), `filescope` (a
scope up to the end of the file). Inside it: `name`, `owner` (a type that qualifies the name from outside, like a Go
receiver), `body` (where the signature ends), `docstring` (documentation inside the body).
Beside it: `comment`, `docattr` (documentation that is code) and `attr` (decorators, attributes) on the lines above.
Names that begin with "_" serve predicates only. `(#set! name "x")` names a definition that has no name node.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass

from tree_sitter import Language, Query

_JAVASCRIPT = """
(comment) @comment
(decorator) @attr
(function_declaration name: (_) @name body: (_) @body) @function
(generator_function_declaration name: (_) @name body: (_) @body) @function
(export_statement value: [(function_expression !name body: (_) @body) (arrow_function body: (_) @body)]
  (#set! name "default")) @function
(variable_declarator name: (identifier) @name value: [(arrow_function body: (_) @body)
  (function_expression body: (_) @body) (generator_function body: (_) @body)]) @function
(assignment_expression left: [(identifier) (member_expression)] @name right: [(arrow_function body: (_) @body)
  (function_expression body: (_) @body) (generator_function body: (_) @body)]) @function
(program (lexical_declaration (variable_declarator name: (identifier) @name value: (call_expression arguments:
  (arguments [(arrow_function body: (statement_block) @body) (function_expression body: (_) @body)]))) @function))
(export_statement (lexical_declaration (variable_declarator name: (identifier) @name value: (call_expression arguments:
  (arguments [(arrow_function body: (statement_block) @body) (function_expression body: (_) @body)]))) @function))
(method_definition name: (_) @name body: (_) @body) @method
(pair key: (_) @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @method
(class_declaration name: (_) @name body: (_) @body) @class
(variable_declarator name: (identifier) @name value: (class body: (_) @body)) @class
(variable_declarator name: (identifier) @name value: (object) @body) @scope
(assignment_expression left: (member_expression) @name right: (object) @body) @scope
(pair key: (_) @name value: (object) @body) @scope
"""

_FIELD_ARROWS = """
({field} {name}: (_) @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @method
"""

_TYPESCRIPT = (
    _JAVASCRIPT
    + _FIELD_ARROWS.format(field="public_field_definition", name="name")
    + """
(abstract_class_declaration name: (_) @name body: (_) @body) @class
(interface_declaration name: (_) @name body: (_) @body) @class
(enum_declaration name: (_) @name body: (_) @body) @class
(type_alias_declaration name: (_) @name value: (object_type) @body) @class
(internal_module name: (_) @name body: (_) @body) @scope
(module name: (_) @name body: (_) @body) @scope
"""
)

_C = """
(comment) @comment
(function_definition declarator: (_) @name body: (_) @body) @function
(struct_specifier name: (_) @name body: (_) @body) @class
(union_specifier name: (_) @name body: (_) @body) @class
(enum_specifier name: (_) @name body: (_) @body) @class
(type_definition type: [(struct_specifier body: (_) @body) (union_specifier body: (_) @body)
  (enum_specifier body: (_) @body)] declarator: (type_identifier) @name) @class
"""

_CPP = (
    _C
    + """
(class_specifier name: (_) @name body: (_) @body) @class
(namespace_definition name: (_) @name body: (_) @body) @scope
(template_declaration "template" @attr parameters: (_) @attr (requires_clause)? @attr)
"""
)

_QUERIES: dict[str, str] = {
    "python": """
(comment) @comment
(decorator) @attr
(function_definition name: (_) @name body: (_) @body) @function
(class_definition name: (_) @name body: (_) @body) @class
(block . (expression_statement . (string) @docstring)) @body
""",
    "java": """
[(line_comment) (block_comment)] @comment
(method_declaration name: (_) @name body: (_) @body) @method
(constructor_declaration name: (_) @name body: (_) @body) @method
(compact_constructor_declaration name: (_) @name body: (_) @body) @method
(class_declaration name: (_) @name body: (_) @body) @class
(interface_declaration name: (_) @name body: (_) @body) @class
(enum_declaration name: (_) @name body: (_) @body) @class
(record_declaration name: (_) @name body: (_) @body) @class
(annotation_type_declaration name: (_) @name body: (_) @body) @class
(enum_constant name: (_) @name body: (_) @body) @scope
""",
    "javascript": _JAVASCRIPT + _FIELD_ARROWS.format(field="field_definition", name="property"),
    "typescript": _TYPESCRIPT,
    "tsx": _TYPESCRIPT,
    "go": """
(comment) @comment
(function_declaration name: (_) @name body: (_) @body) @function
(method_declaration receiver: (parameter_list (parameter_declaration type: [
  (type_identifier) @owner (generic_type type: (_) @owner)
  (pointer_type [(type_identifier) @owner (generic_type type: (_) @owner)])]))
  name: (_) @name body: (_) @body) @method
(type_spec name: (_) @name type: [(struct_type) (interface_type)] @body) @class
""",
    "rust": """
[(line_comment) (block_comment)] @comment
(attribute_item) @attr
(function_item name: (_) @name body: (_) @body) @function
(macro_definition name: (_) @name (macro_rule) @body) @function
(impl_item type: (_) @name body: (_) @body) @extension
(trait_item name: (_) @name body: (_) @body) @class
(struct_item name: (_) @name body: (_)? @body) @class
(enum_item name: (_) @name body: (_) @body) @class
(union_item name: (_) @name body: (_) @body) @class
(mod_item name: (_) @name body: (_) @body) @scope
""",
    "c": _C,
    "cpp": _CPP,
    "csharp": """
(comment) @comment
(method_declaration name: (_) @name body: (_) @body) @method
(constructor_declaration name: (_) @name body: (_) @body) @method
(destructor_declaration "~" @name name: (_) @name body: (_) @body) @method
(operator_declaration "operator" @name operator: _ @name body: (_) @body) @method
(local_function_statement name: (_) @name body: (_) @body) @function
(class_declaration name: (_) @name body: (_) @body) @class
(interface_declaration name: (_) @name body: (_) @body) @class
(struct_declaration name: (_) @name body: (_) @body) @class
(record_declaration name: (_) @name body: (_)? @body) @class
(enum_declaration name: (_) @name body: (_) @body) @class
(namespace_declaration name: (_) @name body: (_) @body) @scope
(file_scoped_namespace_declaration name: (_) @name) @filescope
""",
    "ruby": """
(comment) @comment
(method name: (_) @name body: (_)? @body) @function
(singleton_method name: (_) @name body: (_)? @body) @function
(class name: (_) @name body: (_)? @body) @class
(module name: (_) @name body: (_)? @body) @class
(assignment left: (constant) @name right: (call block: (_) @body)) @class
""",
    "php": """
(comment) @comment
(function_definition name: (_) @name body: (_) @body) @function
(assignment_expression left: (variable_name) @name
  right: [(anonymous_function body: (_) @body) (arrow_function body: (_) @body)]) @function
(method_declaration name: (_) @name body: (_) @body) @method
(class_declaration name: (_) @name body: (_) @body) @class
(interface_declaration name: (_) @name body: (_) @body) @class
(trait_declaration name: (_) @name body: (_) @body) @class
(enum_declaration name: (_) @name body: (_) @body) @class
(namespace_definition name: (_) @name body: (_) @body) @scope
(namespace_definition name: (_) @name !body) @filescope
""",
    "kotlin": """
[(line_comment) (block_comment)] @comment
(function_declaration name: (_) @name (function_body) @body) @function
(function_declaration [(user_type) @owner (nullable_type (user_type) @owner)] . "." . name: (_) @name
  (function_body) @body) @function
(secondary_constructor "constructor" @name (block) @body) @method
(class_declaration name: (_) @name [(class_body) (enum_class_body)]? @body) @class
(object_declaration name: (_) @name (class_body)? @body) @class
(companion_object name: (_) @name (class_body) @body) @extension
(companion_object !name (class_body) @body (#set! name "Companion")) @extension
""",
    "swift": """
[(comment) (multiline_comment)] @comment
(function_declaration name: (_) @name body: (_) @body) @function
(init_declaration "init" @name body: (_) @body) @method
(deinit_declaration "deinit" @name body: (_) @body) @method
(class_declaration declaration_kind: "extension" name: (_) @name body: (_) @body) @extension
(class_declaration name: (_) @name body: (_) @body) @class
(protocol_declaration name: (_) @name body: (_) @body) @class
""",
    "scala": """
[(comment) (block_comment)] @comment
(function_definition name: (_) @name body: (_) @body) @function
(object_definition name: (_) @name body: (_)? @body) @class
(class_definition name: (_) @name body: (_)? @body) @class
(trait_definition name: (_) @name body: (_)? @body) @class
(enum_definition name: (_) @name body: (_) @body) @class
(given_definition name: (_) @name body: (_) @body) @class
(package_object name: (_) @name body: (_) @body) @class
(package_clause name: (_) @name body: (_) @body) @scope
""",
    "bash": """
(comment) @comment
(function_definition name: (_) @name body: (_) @body) @function
""",
    "lua": """
(comment) @comment
(function_declaration name: (_) @name body: (_)? @body) @function
(assignment_statement (variable_list name: (_) @name) (expression_list value:
  (function_definition body: (_)? @body))) @function
(field name: (_) @name value: (function_definition body: (_)? @body)) @function
(assignment_statement (variable_list name: (_) @name) (expression_list value: (table_constructor) @body)) @scope
(field name: (_) @name value: (table_constructor) @body) @scope
""",
    "haskell": """
[(comment) (haddock)] @comment
(declarations (signature name: (_) @name) @function)
(declarations [(function name: (_) @name match: (_) @body) (bind name: (_) @name match: (_) @body)
  (function (infix operator: (_) @name) match: (_) @body)] @function)
(declarations (data_type name: (_) @name) @class)
(declarations (newtype name: (_) @name) @class)
(declarations (class name: (_) @name declarations: (_)? @body) @class)
(declarations (instance name: (_) @name declarations: (_)? @body) @class)
""",
    "elixir": """
(comment) @comment
(unary_operator operator: "@" operand: (call target: (identifier) @_attribute
  (#any-of? @_attribute "spec" "impl" "deprecated" "tag" "since"))) @attr
(unary_operator operator: "@" operand: (call target: (identifier) @_attribute (arguments [(string) (sigil)])
  (#eq? @_attribute "doc"))) @docattr
(call target: (identifier) @_keyword (arguments [
  (call target: (_) @name) (identifier) @name (binary_operator operator: _ @name)
  (binary_operator left: [(call target: (_) @name) (identifier) @name] operator: "when")]) (do_block)? @body
  (#any-of? @_keyword "def" "defp" "defmacro" "defmacrop" "defguard" "defguardp" "defdelegate")
  (#not-eq? @name "when")) @function
(call target: (identifier) @_keyword (arguments . (string) @name) (do_block) @body
  (#any-of? @_keyword "test" "describe" "property")) @function
(call target: (identifier) @_keyword (arguments . (alias) @name) (do_block) @body
  (#any-of? @_keyword "defmodule" "defprotocol" "defimpl")) @module
(do_block (unary_operator operator: "@" operand: (call target: (identifier) @_attribute
  (arguments [(string) (sigil)] @docstring) (#eq? @_attribute "moduledoc")))) @body
""",
    "zig": """
(comment) @comment
(function_declaration name: (_) @name body: (_) @body) @function
(function_declaration name: (_) @name body: (block (expression_statement (return_expression
  [(struct_declaration) (union_declaration) (enum_declaration)]))) @body) @class
(test_declaration [(string) (identifier)] @name (block) @body) @function
(variable_declaration (identifier) @name
  [(struct_declaration) (enum_declaration) (union_declaration) (opaque_declaration)] @body) @class
""",
}

# Where the module or its function is not simply named after the language.
_MODULES = {"csharp": "tree_sitter_c_sharp", "tsx": "tree_sitter_typescript"}
_FACTORIES = {"php": "language_php", "typescript": "language_typescript", "tsx": "language_tsx"}

# Close enough relatives to be read by another language's grammar.
_RELATIVES = {"cuda": "cpp", "starlark": "python"}


@dataclass(frozen=True, slots=True)
class Grammar:
    """A language as tree-sitter reads it, and the query that finds its definitions.

    `default_names`: pattern of the query → the name of what it finds, where the source gives none.
    """

    language: Language
    query: Query
    default_names: dict[int, str]


def has_grammar(language: str) -> bool:
    """Whether definitions can be found in this language; otherwise its files are cut into line windows."""
    return _RELATIVES.get(language, language) in _QUERIES


def grammar_module(language: str) -> str:
    """The module that brings the grammar of a language for which `has_grammar` holds."""
    name = _RELATIVES.get(language, language)
    return _MODULES.get(name, f"tree_sitter_{name}")


@functools.cache
def load_grammar(language: str) -> Grammar:
    """The grammar of a language for which `has_grammar` holds. Loaded on first use: each is megabytes of tables."""
    name = _RELATIVES.get(language, language)
    module = importlib.import_module(grammar_module(language))
    grammar = Language(getattr(module, _FACTORIES.get(name, "language"))())
    query = Query(grammar, _QUERIES[name])
    settings = {index: query.pattern_settings(index).get("name") for index in range(query.pattern_count)}
    return Grammar(grammar, query, {index: default for index, default in settings.items() if default})

"""The source is easy to read: names say what a thing is, modules what they do, nothing is counted
by position and no modules import each other."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GENERIC = frozenset(
    "one ones found given told kept mine place places known asked wanted said seen it its them "
    "these those what where other others thing stuff got taken".split()
)
NO_VERBS = frozenset("a an as all how one the what when where whether which who".split())
MOST_ARGUMENTS = 5


@dataclass
class Module:
    """What one walk through a module of the package finds."""

    path: Path
    docstring: str = ""
    bound: list[str] = field(default_factory=list)
    """Names of variables and parameters, once for each binding."""
    long_calls: list[tuple[str, int]] = field(default_factory=list)
    """The function and the line of each call with many arguments by position."""
    any_number: list[str] = field(default_factory=list)
    """Functions that take any number of arguments of one meaning, as ``print`` does."""
    imports: list[tuple[str, str]] = field(default_factory=list)
    """Modules, and what is imported from them."""

    @property
    def name(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts).removesuffix(".__init__")

    def read(self) -> Module:
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        self.docstring = ast.get_docstring(tree) or ""
        for node in ast.walk(tree):
            self._note(node)
        return self

    def _note(self, node: ast.AST) -> None:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                self.bound.append(name.strip("_"))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                if len(node.args) > MOST_ARGUMENTS:
                    self.long_calls.append((name, node.lineno))
            case ast.FunctionDef(name=name, args=ast.arguments(vararg=ast.arg())):
                self.any_number.append(name)
            case ast.ImportFrom(module=str(name)):
                self.imports += [(name, alias.name) for alias in node.names]
            case ast.Import():
                self.imports += [(alias.name, "") for alias in node.names]


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return [Module(path).read() for path in sorted((ROOT / "gradflow").rglob("*.py"))]


def test_generic_names_are_rare(modules: list[Module]) -> None:
    names = Counter(name for module in modules for name in module.bound)
    generic = {name: count for name, count in names.items() if name in GENERIC}

    # 10 % before the names were gone over; 0.2 to 2.5 % in ten codebases read beside this one.
    assert sum(generic.values()) < 0.02 * names.total(), generic


def test_a_module_says_in_one_sentence_what_it_does(modules: list[Module]) -> None:
    assert not [module.name for module in modules if _riddle(module.docstring)]


def _riddle(words: str) -> bool:
    """Whether a docstring does not begin with one sentence that says what is done."""
    first = re.sub(r"\s+", " ", words.partition("\n\n")[0])
    command, colon, after = first.partition("``: ")
    verb = (after if colon and command.startswith("``") else first).split(" ")[0].lower()
    # A noun alone says what there is: "Generators of ...", "The ...".
    is_noun = verb in NO_VERBS or (verb.endswith("s") and not verb.endswith("ss"))
    return not first.endswith(".") or ". " in first or not verb.isalpha() or is_noun


def test_no_call_has_six_positional_arguments(modules: list[Module]) -> None:
    """Nobody counts positions."""
    any_number = {name for module in modules for name in module.any_number}

    assert not [
        f"{module.name}:{line}"
        for module in modules
        for name, line in module.long_calls
        if name not in any_number
    ]


def test_no_line_has_more_than_100_characters(modules: list[Module]) -> None:
    """Ruff lets a line pass that it cannot break, as a long word or a comment for a tool."""
    assert not [
        f"{module.name}:{number}"
        for module in modules
        for number, line in enumerate(module.path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 100
    ]


def test_no_modules_import_each_other(modules: list[Module]) -> None:
    """By way of others, for types or late in a function either."""
    names = {module.name for module in modules}
    graph = {
        module.name: {
            inner if (inner := f"{name}.{imported}") in names else name
            for name, imported in module.imports
        }
        & names
        for module in modules
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))

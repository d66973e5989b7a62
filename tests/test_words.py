"""Names in the program say what a thing is: words that could stand for anything are rare."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "gradflow"
GENERIC = frozenset(
    "one ones found given told kept mine place places known asked wanted said seen it its them "
    "these those what where other others thing stuff got taken".split()
)


def bound_names(tree: ast.AST) -> Iterator[str]:
    """The names of variables and parameters that a module binds, once for each binding."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def test_generic_names_are_rare() -> None:
    names = Counter(
        name.strip("_")
        for path in PACKAGE.rglob("*.py")
        for name in bound_names(ast.parse(path.read_text(encoding="utf-8")))
    )
    generic = {name: count for name, count in names.items() if name in GENERIC}

    # 10 % before the names were gone over; 0.2 to 2.5 % in ten codebases read beside this one.
    assert sum(generic.values()) < 0.02 * sum(names.values()), generic


NO_VERBS = frozenset("a an as all how one the what when where whether which who".split())


def _riddle(words: str) -> bool:
    """Whether a docstring does not begin with one sentence that says what is done."""
    first = re.sub(r"\s+", " ", words.partition("\n\n")[0])
    command, colon, after = first.partition("``: ")
    verb = (after if colon and command.startswith("``") else first).split(" ")[0].lower()
    # A noun alone says what there is: "Generators of ...", "The ...".
    is_noun = verb in NO_VERBS or (verb.endswith("s") and not verb.endswith("ss"))
    return not first.endswith(".") or ". " in first or not verb.isalpha() or is_noun


def test_a_module_says_in_one_sentence_what_it_does() -> None:
    riddles = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if _riddle(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
    ]

    assert not riddles

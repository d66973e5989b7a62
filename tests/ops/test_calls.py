"""What a node calls is read alike from every kind of node, and no name in an attr is overlooked."""

from __future__ import annotations

from typing import Any

import pytest

from gradflow.files.saved_model.schema import message
from gradflow.ops.calls import BODY, COND, Callee, callees, functions_in_attrs, named_functions
from gradflow.ops.families import BRANCHES, CALLS, CONTROL_FLOW, LOOPS, REMOTE_CALLS


def node(op: str, **functions: str | list[str]) -> Any:
    made = message("NodeDef")(name="n", op=op)
    for attr, names in functions.items():
        if isinstance(names, str):
            made.attr[attr].func.name = names
        else:
            for name in names:
                made.attr[attr].list.func.add(name=name)
    return made


@pytest.mark.parametrize("op", sorted(CALLS | REMOTE_CALLS))
def test_a_call(op: str) -> None:
    assert callees(node(op, f="inner"), ()) == (Callee("inner"),)


def test_a_function_in_place_of_an_op_type() -> None:
    assert callees(node("inner"), {"inner": None}) == (Callee("inner"),)
    assert callees(node("inner"), ()) == ()


@pytest.mark.parametrize("op", ["If", "StatelessIf"])
def test_the_branches_of_a_cond_come_behind_its_condition(op: str) -> None:
    made = node(op, then_branch="yes", else_branch="no")
    assert callees(made, ()) == (Callee("yes", "then", 1), Callee("no", "else", 1))


@pytest.mark.parametrize("op", ["Case", "StatelessCase"])
def test_the_branches_of_a_case(op: str) -> None:
    made = node(op, branches=["a", "b"])
    assert callees(made, ()) == (Callee("a", "branch0", 1), Callee("b", "branch1", 1))


@pytest.mark.parametrize("op", sorted(LOOPS))
def test_only_the_body_of_a_loop_gives_its_results(op: str) -> None:
    body, condition = callees(node(op, cond="more", body="again"), ())
    assert (body, condition) == (Callee("again", BODY), Callee("more", COND))
    assert body.gives_results
    assert not condition.gives_results


@pytest.mark.parametrize("op", sorted(CONTROL_FLOW))
def test_looking_changes_nothing_where_an_attr_is_missing(op: str) -> None:
    made = node(op)
    assert all(callee.function == "" for callee in callees(made, ()))
    assert not made.attr


def test_every_name_in_the_attrs_is_found_at_any_depth() -> None:
    made = node("Mine", f="outer", branches=["a", "b"])
    made.attr["f"].func.attr["g"].func.name = "deep"
    made.attr["branches"].list.func[1].attr["h"].list.func.add(name="deeper")
    assert sorted(functions_in_attrs(made)) == ["a", "b", "deep", "deeper", "outer"]
    assert sorted(named_functions(made)) == ["Mine", "a", "b", "deep", "deeper", "outer"]


def test_the_families_do_not_overlap() -> None:
    families = (CALLS, REMOTE_CALLS, BRANCHES, LOOPS)
    assert len(CONTROL_FLOW) == sum(map(len, families))

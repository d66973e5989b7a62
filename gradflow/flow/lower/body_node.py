"""Describe one node of a body: how it is laid out, and how gradient passes its inputs."""

from __future__ import annotations

from enum import Enum

from gradflow.flow.graph import Edge, Mark
from gradflow.flow.lower.references import Reference
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.calls import Callee


class Form(Enum):
    """How a node is laid out."""

    PLAIN = "plain"
    DIAGONAL = "diagonal"
    """Output i is input i (IdentityN)."""
    CALL = "call"
    BRANCH = "branch"
    LOOP = "loop"
    WRITE = "write"
    """It puts a value into a variable."""


@dataclass(frozen=True, slots=True)
class BodyNode:
    """One node of a body."""

    name: str
    op: str
    form: Form
    inputs: tuple[Reference, ...]
    passes: tuple[Edge, ...]
    """For each input, how gradient passes to it if its tensor is floating."""
    floating: tuple[bool, ...]
    """For each output, whether its type carries gradient."""
    mark: Mark | int = 0
    callees: tuple[Callee, ...] = ()
    raises: bool = False
    """TensorFlow raises an error where it is asked for a gradient through it."""
    read_later: frozenset[int] = frozenset()
    """Of a node that writes to variables: which of its inputs another node takes afterwards."""
    is_conditional: bool = False
    """Of a node that writes to variables: a condition of TensorFlow 1 decides whether it is run."""
    reads_overwritten: bool = False
    """Its first input is a variable that was just overwritten."""

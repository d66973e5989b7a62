"""Define what a code of the report is: its words, its severity, and what leads to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from gradflow.findings import Cause, Finding, Severity
from gradflow.flow.graph import Edge, Mark
from gradflow.flow.op_rules import Rule


class Family(str, Enum):
    """What the codes that begin alike are about."""

    FLAGS = "GF1"
    """Freeze flags, and weights that no layer tracks."""
    CUTS = "GF2"
    """No gradient arrives."""
    VALUES = "GF3"
    """A gradient arrives: zeros, NaN, or a size out of proportion."""
    EXPECTATIONS = "GF4"
    """The model differs from what its user expects."""
    TRAINING = "GF5"
    """What a training step does with gradients: which it asks for and applies."""
    FAILURES = "GF9"
    """The model could not be checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeEntry:
    """One code of the catalogue, in the words that ``gradflow explain`` shows."""

    code: str
    """For example ``GF201``: the family, then a number within it."""
    kind: str
    """The word that stands for the code in a cause, for example ``stop_gradient``."""
    severity: Severity
    """How much a finding matters at worst; one that is seen to be harmless is a note."""
    title: str
    """One line, lower-case: what is the case."""
    message: str = ""
    """What a finding says, with places to fill in: ``gradient is stopped by {op}``.

    Empty where the module that makes the finding has several messages.
    """
    rules: tuple[Rule, ...] = ()
    """A cut at an op under one of these rules has this code."""
    edges: tuple[Edge, ...] = ()
    """A cut by one of these edges has this code, whatever the op."""
    marks: tuple[Mark, ...] = ()
    """A cut at a node with one of these marks has this code."""
    measured: Mapping[Edge, str] = field(default_factory=dict)
    """What a real step shows and leads to this code; to each the message, with ``{detail}``."""
    raises: bool = False
    """TensorFlow raises an error at such an op, also where it would else fill in zeros."""
    cuts_every_input: bool = False
    """Such an op passes gradient to none of its inputs."""
    breaks_expectation: bool = False
    """A finding with this code says why an expectation of the configuration is not kept."""
    why: str
    """How a model comes to be so, and what it means for training."""
    fix: str
    """The usual remedy."""
    step_fix: str = ""
    """The remedy in a training step of the user's own, where it is another one: the step runs on
    real data, and gradflow takes no options there."""
    right_when: str
    """When the finding is no fault at all."""
    example: str
    """Python that brings it about, with keras, tf and np imported: it builds ``model``, or saves it
    as ``saved``.

    Lines of the configuration where the code is about an expectation; empty where nothing that one
    writes brings it about.
    """

    @property
    def family(self) -> Family:
        """What the code is about.

        Raises:
            ValueError: no family has codes that begin so.
        """
        return Family(self.code[:3])

    @property
    def explains_verdict(self) -> bool:
        """Whether it tells why a gradient is missing, zero or NaN, and not only about its size."""
        leads_here = self.rules or self.edges or self.marks or self.measured
        return self.family in (Family.CUTS, Family.TRAINING) or bool(leads_here)

    def cause(
        self,
        *,
        op: str | None = None,
        op_type: str | None = None,
        layer: str | None = None,
        reenters_at: str | None = None,
        source: str | None = None,
    ) -> Cause:
        """Return a cause with this code."""
        return Cause(
            code=self.code,
            kind=self.kind,
            op=op,
            op_type=op_type,
            layer=layer,
            reenters_at=reenters_at,
            source=source,
        )

    def finding(
        self,
        message: str,
        variables: Sequence[str],
        cause: Cause | None,
        *,
        severity: Severity | None = None,
        hint: str | None = None,
    ) -> Finding:
        """Return a finding with this code, as severe and with the remedy as here unless told
        otherwise."""
        return Finding(
            code=self.code,
            severity=self.severity if severity is None else severity,
            message=message,
            hint=self.fix if hint is None else hint,
            variables=tuple(variables),
            cause=cause,
        )

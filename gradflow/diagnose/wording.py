"""Say in one line what a cause does, how much it matters and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.catalogue import CATALOGUE
from gradflow.catalogue.op_fixes import fix_of
from gradflow.diagnose.evidence import GIVES_ZEROS, Evidence, Mover, OtherUse, Sighting
from gradflow.diagnose.straight_through import is_straight_through
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.findings import Cause, Severity
from gradflow.flow.graph import Edge, Mark
from gradflow.flow.op_rules import spec
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.families import READS, SHAPE_OPS, WEIGHTLESS
from gradflow.text import quoted, shown

_UNUSED = "let it lead to an output that has a loss in compile(), or remove the layer"
_UNREAD_FIX = (
    "use its value in the call, or remove it; its shape can be used without reading it (v.shape), "
    "and what __init__ or build computed from it is a constant: compute that in the call"
)
_UNWATCHED = (
    "the tape did not record the read of the variable ({op}): it does not watch it, or did not "
    "record then"
)
_NO_LOSS = "give the output that it leads to a loss in compile(), or remove the layer"
_WEIGHTLESS = (
    "gradient dies at {op}, which multiplies by zero: loss_weights gives this loss the weight 0"
)
WEIGHT_FIX = (
    "give the loss a weight other than 0 in compile(), or remove the layers that only it "
    "would train"
)
"""Of a weight that only such a loss would train."""
HOW_TO_THAW = (
    "set trainable = True where it was frozen, on the layer (before compile()) or on the variable "
    "itself, and save again"
)

_MOVED = {
    Mover.ADDED: (
        "a loss that a layer adds (add_loss) trains it",
        "harmless where the training step minimises model.losses too, as fit() does; "
        "--objective compiled counts them",
    ),
    Mover.REGULARIZER: (
        "only its regularizer moves it, which learns nothing of the data",
        "let it lead to what is minimised, or freeze it (trainable=False)",
    ),
    Mover.ASSIGNED: (
        "an assignment changes it all the same",
        "harmless where that is meant, as of a moving average of other weights",
    ),
    Mover.OPTIMIZER: ("momentum or weight decay of the optimizer moves it all the same", ""),
}
_HARMLESS = (Mover.ADDED, Mover.ASSIGNED)
_STEP_OP_FIX = (
    "at which op is not known; where it is one of the model, gradflow inspect MODEL names it"
)
_SHAPE_FIX = (
    "harmless where only a derivative of the value counts, as of an energy whose forces are the "
    "output: what is added to the value has none; else let the value itself take part"
)
_DERIVATIVE = "only a derivative of the sum {op} is used, in which it has no part"
_NO_FLOAT = (
    "no output is a float, so that no loss can be differentiated through this call: analyse the "
    "one that is trained, or let it return what goes into the {op_type} too"
)
_STRAIGHT = "a straight-through estimator: the gradient goes to what it adds to, not to the weight"
_STRAIGHT_FIX = (
    "train the weight by a loss of its own, of the value before this stop_gradient (the codebook "
    "loss of a VQ-VAE, by add_loss)"
)
_STRAIGHT_HINT = (
    "right where a loss of its own trains the weight (the codebook loss of a VQ-VAE), which is no "
    "output and which an export does not keep: inspect the compiled model; else add such a loss, "
    "of the value before this stop_gradient"
)
_OWN_ZEROS = (
    "of your custom_gradient",
    "return from it the upstream gradient times the slope of the function, or the upstream "
    "gradient itself (straight-through); where it is a function of TensorFlow that has a custom "
    "gradient, such as swish, scale down what comes in",
)
_GRADIENT_OF_JAX = (
    "convert it with jax2tf.convert(..., with_gradient=True) and export it again, if it is to be "
    "trained from here; make its variables with trainable=False if not"
)
"""Of a function that was converted without its gradient."""
_ZEROS_OF_JAX = (
    "that JAX computes",
    "look in the function that jax2tf converted for jax.lax.stop_gradient on the way from this "
    "weight, and for units whose slope is zero (relu below 0)",
)
"""Whose gradient is zero, and what to do."""
_PROGRAM_OF_JAX = "XlaCallModule"
_SCOPE_OF_JAX = "jax2tf"


@dataclass(frozen=True, slots=True)
class Wording:
    """What a finding says about its cause."""

    severity: Severity
    message: str
    fix: str


def word(
    evidence: Evidence,
    cause: Cause,
    sighting: Sighting | None,
    uncovered: Sequence[str] | None = (),
    *,
    further: Sequence[Cause] = (),
    other: OtherUse | None = None,
) -> Wording:
    """Put ``cause`` into words.

    Args:
        evidence: all that is known about the model.
        cause: what to put into words.
        sighting: what a real step has shown of it.
        uncovered: the outputs that the way leads to, where the compiled loss covers none of them;
            None where no op of the call reads the weight.
        further: the causes at other ops at which the same was seen.
        other: another entry of the file that uses what has no path to the outputs of this one.
    """
    item = CATALOGUE[cause.code]
    if cause.code == "GF203" and cause.op_type == "IdentityN":
        return _unknown_custom_gradient(cause)
    if cause.code == "GF203" and cause.op_type is not None and spec(cause.op_type) is None:
        return _unknown_op_type(evidence, cause)
    if cause.code == "GF501" and cause.op_type in READS:
        return Wording(item.severity, _UNWATCHED.format(op=cause.op_type), item.fix)
    if cause.code == "GF206" and evidence.is_of_step:
        reads = "" if uncovered is not None else ": no op that leads to it reads the weight"
        return Wording(item.severity, f"no path to the loss of the step{reads}", item.fix)
    if cause.code == "GF206" and uncovered is None and other is None:
        return Wording(item.severity, _unread(evidence), _UNREAD_FIX)
    if evidence.is_of_loss and (cause.code == "GF206" or cause.op_type == WEIGHTLESS):
        return Wording(item.severity, *_not_in_loss(cause, uncovered))
    if other is not None:
        return _of_other_entry(other, _message(evidence, cause, sighting, ()))
    if sighting is not None and _is_zero_custom_gradient(evidence, sighting):
        whose, fix = _ZEROS_OF_JAX if _is_of_jax(evidence) else _OWN_ZEROS
        message = f"the gradient {whose} is zero ({cause.op_type} {cause.op!r})"
        return Wording(item.severity, message, fix)
    derivative = _used_in_part(cause, sighting)
    if derivative is not None:
        return derivative
    message = _message(evidence, cause, sighting, further)
    if cause.code == "GF201" and sighting is None and _is_straight_through(evidence, cause):
        severity, fix = (
            (Severity.WARNING, _STRAIGHT_HINT)
            if evidence.is_exported
            else (item.severity, _STRAIGHT_FIX)
        )
        return Wording(severity, f"{message}, {_STRAIGHT}", fix)
    usual = _usual_fix(evidence, cause)
    if sighting is None:
        return Wording(item.severity, message, usual)
    severity = Severity.NOTE if sighting.harmless else item.severity
    return Wording(severity, message, sighting.fix or usual)


def _used_in_part(cause: Cause, sighting: Sighting | None) -> Wording | None:
    """Say that a weight is used for its shape alone, or that only a derivative of a sum with it is
    used; None where that is not so."""
    if cause.code == "GF204" and cause.op_type in SHAPE_OPS and sighting is None:
        message = f"nothing of it is used but its shape, by {cause.op_type} {cause.op!r}"
        return Wording(Severity.NOTE, message, _SHAPE_FIX)
    if cause.code == "GF204" and cause.op is not None and cause.op_type is None:
        return Wording(Severity.NOTE, _DERIVATIVE.format(op=quoted(str(cause.op))), _SHAPE_FIX)
    return None


def _is_straight_through(evidence: Evidence, cause: Cause) -> bool:
    graph = evidence.graph
    return graph is not None and cause.op is not None and is_straight_through(graph, cause.op)


def _usual_fix(evidence: Evidence, cause: Cause) -> str:
    """Say what to do about a cut that nothing more is known of."""
    if cause.code == "GF202" and _gives_no_float(evidence):
        return _NO_FLOAT.format(op_type=cause.op_type)
    if cause.code == "GF207" and _is_of_jax(evidence):
        return _GRADIENT_OF_JAX
    if cause.code == "GF303" and evidence.is_of_step and cause.op is None:
        return _STEP_OP_FIX
    of_op = fix_of(cause.code, cause.op_type)
    return CATALOGUE[cause.code].fix if of_op is None else of_op.fix


def moved(wording: Wording, mover: Mover) -> Wording:
    """Return what is said of weights that something else moves than what was differentiated."""
    message, fix = _MOVED[mover]
    is_error = wording.severity is Severity.ERROR
    severity = Severity.WARNING if mover is Mover.REGULARIZER and is_error else wording.severity
    return Wording(
        Severity.NOTE if mover in _HARMLESS else severity,
        f"{wording.message}; {message}",
        fix or wording.fix,
    )


def other_use(evidence: Evidence, cause: Cause, name: str) -> OtherUse | None:
    """Return the entry that uses the weight called ``name``, where this one does not."""
    return evidence.elsewhere(name) if cause.code == "GF206" else None


def _is_zero_custom_gradient(evidence: Evidence, sighting: Sighting) -> bool:
    """Whether the op at which the gradient dies is one that carries a custom gradient."""
    graph = evidence.graph
    if graph is None or sighting.kind is not Edge.DEAD or sighting.op_type != "IdentityN":
        return False
    is_unexplained = sighting.detail == GIVES_ZEROS and not sighting.harmless
    return is_unexplained and any(
        name == sighting.op and mark & Mark.CUSTOM
        for name, mark in zip(graph.names, graph.marks, strict=True)
    )


def _is_of_jax(evidence: Evidence) -> bool:
    """Return whether JAX exported the graph, or a part of it: as one program, or op by op in scopes
    of its own (jax2tf of jax 0.4 and 0.10)."""
    graph = evidence.graph
    return graph is not None and (
        _PROGRAM_OF_JAX in graph.ops or any(name.startswith(_SCOPE_OF_JAX) for name in graph.names)
    )


def _gives_no_float(evidence: Evidence) -> bool:
    """Whether the call returns nothing that a loss could be differentiated through."""
    outputs = evidence.outputs
    return bool(outputs) and not any(output.dtype in FLOATING_NAMES for output in outputs)


def _unread(evidence: Evidence) -> str:
    goal = "the compiled loss" if evidence.is_of_loss else "any output"
    return f"no path to {goal}: no op of the call reads it"


def _not_in_loss(cause: Cause, uncovered: Sequence[str] | None) -> tuple[str, str]:
    """Say that no way leads to the compiled loss, or that it counts nothing, and what to do."""
    if cause.op_type == WEIGHTLESS:
        return _WEIGHTLESS.format(op=quoted(str(cause.op))), WEIGHT_FIX
    if not uncovered:
        return "no path to the compiled loss", _UNUSED
    outputs = f"output{'s' if uncovered[1:] else ''} {' and '.join(map(shown, uncovered))}"
    return f"no path to the loss: the compiled loss does not cover {outputs}", _NO_LOSS


def _of_other_entry(other: OtherUse, message: str) -> Wording:
    """Say which entry uses a weight; one that is trained there is no fault."""
    name = quoted(other.entry)
    if other.is_trained:
        return Wording(
            Severity.NOTE,
            f"{message} of this entry: the entry {name} leads a gradient to it",
            f"nothing, if the entries are trained apart; --entry {name} analyses that one, "
            "--entry all every entry",
        )
    return Wording(
        CATALOGUE["GF206"].severity,
        f"{message} of this entry: the entry {name} uses it, and leads no gradient to it either",
        f"--entry {name} shows what cuts it off there; let it lead to an output, or remove it",
    )


def _unknown_op_type(evidence: Evidence, cause: Cause) -> Wording:
    """Put a cut at an op type into words that TensorFlow itself does not have."""
    item = CATALOGUE[cause.code]
    if evidence.is_of_layers:
        return Wording(
            Severity.NOTE,
            f"{cause.op!r}: nothing is known about {cause.op_type}, so nobody can tell whether a "
            "gradient passes it",
            "measure it with TensorFlow: --import MODULE, the module that defines it",
        )
    if evidence.measurements is None:
        return Wording(
            Severity.NOTE,
            f"{cause.op!r}: nothing is known about op type {cause.op_type}, so nobody can tell "
            f"whether a gradient passes it",
            "measure it with TensorFlow: --import PACKAGE, if a package brings the op type",
        )
    message = (
        f"{cause.op!r}: op type {cause.op_type} has no gradient in this process; if a package "
        f"registers it, pass --import PACKAGE"
    )
    return Wording(item.severity, message, item.fix)


def _unknown_custom_gradient(cause: Cause) -> Wording:
    """Say that a file does not show what a custom gradient returns."""
    return Wording(
        Severity.NOTE,
        f"{cause.op!r}: the file does not show what its custom gradient returns: a compiled "
        "program makes it (an export of JAX), or nothing but zeros is seen in it",
        "measure it with TensorFlow",
    )


def _message(
    evidence: Evidence, cause: Cause, sighting: Sighting | None, further: Sequence[Cause]
) -> str:
    item = CATALOGUE[cause.code]
    op = f"{cause.op_type} {cause.op!r}" if cause.op is not None else "the model's code"
    if further:
        second = f"{further[0].op_type} {further[0].op!r}"
        op += f" (and {second if len(further) == 1 else f'{len(further)} more ops'} alike)"
    if sighting is not None and sighting.kind in item.measured:
        if not cause.op:
            return sighting.detail
        return item.measured[sighting.kind].format(op=op, detail=sighting.detail)
    if cause.code == "GF302" and cause.op_type == "StopGradient":
        return f"gradient is stopped by {op} inside control flow, where TensorFlow fills in zeros"
    message = item.message.format(op=op, selected="selected " if evidence.selected else "")
    if cause.reenters_at is None:
        return message
    return f"{message}; its values are floats again at {cause.reenters_at!r}"

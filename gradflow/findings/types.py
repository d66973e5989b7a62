"""Define the report as frozen dataclasses; field order is the order of the JSON report."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from gradflow.findings.flow_map import FlowMap
from gradflow.findings.wire_names import INTERNAL
from gradflow.lazy_dataclass import dataclass

LEFT_OUT = "..."
"""Stands in a ``path`` for the ops in the middle of a very long one."""


class Format(str, Enum):
    """What kind of file a model was read from (``memory``: an object given to the Python API)."""

    KERAS = "keras"
    H5 = "h5"
    SAVED_MODEL = "saved_model"
    MEMORY = "memory"


class Mode(str, Enum):
    """How the verdicts were reached: one real tape step, or the file alone."""

    TAPE = "tape"
    STATIC = "static"


class Status(str, Enum):
    """Whether a model could be analysed."""

    ANALYZED = "analyzed"
    FAILED = "failed"


class Role(str, Enum):
    """``weight`` is meant to be trained, ``state`` was declared non-trainable by its creator."""

    WEIGHT = "weight"
    STATE = "state"


class Verdict(str, Enum):
    """What one backward step brings to a variable."""

    FLOWS = "flows"
    NONE = "none"
    ZERO = "zero"
    NONFINITE = "nonfinite"
    UNKNOWN = "unknown"


class Confidence(str, Enum):
    """``confirmed``: tape and graph agree; ``measured``: the tape alone; ``static``: the graph
    alone."""

    CONFIRMED = "confirmed"
    MEASURED = "measured"
    STATIC = "static"


class Severity(str, Enum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class ExpectationStatus(str, Enum):
    """Whether a model does what the user expects of it; ``unmatched`` covers no weight."""

    KEPT = "kept"
    BROKEN = "broken"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Gradient:
    """The size of one variable's gradient; ``None`` where it is not a finite number."""

    norm: float | None
    """Euclidean norm over all entries."""
    max_abs: float | None
    """Largest absolute entry."""
    zero_fraction: float
    """Share of entries that are exactly 0, from 0 to 1."""
    rows_touched: int | None
    """Distinct rows that an embedding lookup read; None where the gradient is dense."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One frontier cut (or another reason) behind a missing, zero or non-finite gradient."""

    code: str
    """Catalogue code, for example ``GF201``."""
    kind: str
    """The code's kind, for example ``stop_gradient``."""
    op: str | None = None
    """Name of the responsible graph node; None where no single op is (GF101, GF206)."""
    op_type: str | None = None
    """TensorFlow op type of ``op``."""
    layer: str | None = None
    """Keras layer that ``op`` belongs to, where known."""
    reenters_at: str | None = None
    """Where values stop being floats: the node at which they are floats again."""
    source: str | None = None
    """``file.py:line`` of the user's code, where known."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the model and what was found out about its gradient."""

    name: str
    """Keras path or TensorFlow name without ``:0``; unique within the model."""
    layer: str | None
    """The layer that owns it: the name without its last segment."""
    shape: tuple[int | None, ...]
    dtype: str
    parameters: int
    """Number of entries (unknown dimensions count as 0)."""
    role: Role
    trainable: bool
    """False for a frozen weight and for state."""
    frozen_by: str | None
    """The outermost layer whose ``trainable=False`` covers the weight, where the file knows."""
    verdict: Verdict
    confidence: Confidence
    gradient: Gradient | None
    """None where the verdict is ``none`` or ``unknown``, and in static mode."""
    causes: tuple[Cause, ...]
    cuts_to_restore: int | None
    """Smallest number of cuts to remove; 0 where it flows, None where no path exists."""
    path: tuple[str, ...]
    """Op names from the variable to an output along the fewest cuts, or ``...``; empty where it
    flows."""
    declared_trainable: bool = field(default=False, metadata=INTERNAL)
    """State that its creator called trainable, and whose type gets no gradient."""
    has_open_flag: bool = field(default=False, metadata=INTERNAL)
    """Whether it is frozen is decided by a class that was not loaded."""
    layer_path: str = field(default="", metadata=INTERNAL)
    """Where it stands among the layers, ``backbone/stem/kernel``: a submodel is no part of Keras's
    own path. Empty where the file does not tell."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input of the synthetic batch and where its values came from."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    source: str
    """For example ``normal(seed=0)``, ``integers(0..9, seed=0)``, ``file``."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output that counts for the objective."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who accepted a finding, and why."""

    by: str
    """``gradflow.yaml:12``, the path of a baseline, or ``ignore`` for the option ``--ignore``."""
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """One op on the way of the data from the variable to the output."""

    op: str
    op_type: str
    layer: str | None
    fed: bool
    """Gradient comes up to it from the output."""
    comes_back: bool
    """The values are floats again here."""
    cause: Cause | None
    """What cuts the gradient here, or spoils it."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way of the data from a variable to an output, in layers."""

    variable: str
    steps: tuple[Step, ...]
    """Each is named after its layer, where it stands in one."""
    output: str | None = None
    """The output where it ends, where it is known."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back from a cut nothing learns, in layers that have weights."""

    start: str | None
    """The first of these layers; None where it goes back to the input."""
    ends: tuple[str, ...]
    """The last layers behind the cut."""
    is_whole: bool
    """Nothing learns between ``start`` and ``ends``; else some layers there do, and these do
    not."""
    layers: int
    all_layers: int
    """Of the whole model."""
    frozen: int
    """How many of ``layers`` are frozen."""
    parameters: int
    """Of ``layers``."""
    all_parameters: int
    noun: str = "layer"
    """What is counted: ``weight`` where nothing tells of layers."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to tell the user: one cause with all the variables behind it."""

    code: str
    severity: Severity
    message: str
    hint: str
    variables: tuple[str, ...]
    cause: Cause | None
    accepted: Acceptance | None = None
    """None where it counts; what is accepted breaks nothing, and is still in the report."""
    between: tuple[str, str] | None = None
    """The last layer behind the cut and the first before it, the same one twice where the cut is
    inside of it; None where it is no cut at an op."""
    reach: Reach | None = field(default=None, metadata=INTERNAL)
    """How far back nothing learns for this cut."""
    way: Way | None = field(default=None, metadata=INTERNAL)
    """The way of one of its variables."""
    threat: str = field(default="", metadata=INTERNAL)
    """Of what a scan found: what it is and what it could do, which others can have in common."""
    is_of_the_past: bool = field(default=False, metadata=INTERNAL)
    """Whether it tells how the model was trained, which no expectation about flags settles."""
    location: str = field(default="", metadata=INTERNAL)
    """The place of that in the file."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation of the user and whether the model keeps it."""

    kind: str
    pattern: str
    status: ExpectationStatus
    variables: tuple[str, ...]
    """Those that break it, else those that it covers."""

    @property
    def is_kept(self) -> bool:
        """False where it is broken or covers no weight."""
        return self.status is ExpectationStatus.KEPT


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a model could not be checked."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts; the five verdicts count trainable weights only, so that with ``frozen`` they add up
    to ``weights``."""

    weights: int
    flows: int
    none: int
    zero: int
    nonfinite: int
    unknown: int
    frozen: int
    state: int
    parameters: int
    """Entries of all weights, frozen ones included."""
    trainable_parameters: int
    """Entries of the weights that are not frozen."""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """Everything found out about one model."""

    path: str
    format: Format | None
    producer: str | None
    """The software that wrote the file, for example ``keras 3.15.1``."""
    entry: str | None
    """The function that was differentiated, for example ``call(training=True)``."""
    objective: str | None = field(default=None, kw_only=True)
    """What of it was differentiated: ``outputs``, or ``compiled: mse on head, weight 1.0``; None
    where nothing was analysed."""
    mode: Mode
    status: Status
    error: Failure | None
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    variables: tuple[Variable, ...]
    findings: tuple[Finding, ...]
    expectations: tuple[Expectation, ...]
    summary: Summary
    map: FlowMap | None = None
    """None where it is not asked for, and where nothing was analysed."""
    name: str = field(default="", metadata=INTERNAL)
    """What the configuration calls it; empty where it has no name."""
    unused_loss: str = field(default="", metadata=INTERNAL)
    """Why the loss that the model was compiled with was not differentiated; empty where it was, or
    where there is none."""
    limits: tuple[float, float] | None = field(default=None, metadata=INTERNAL)
    """The multiples of the median below which a gradient vanishes and above which it explodes; None
    for the usual ones."""
    looked_at: tuple[str, ...] = field(default=(), metadata=INTERNAL)
    """What a scan has counted; empty where the model was analysed."""

    @property
    def open_findings(self) -> tuple[Finding, ...]:
        """The findings that count: nobody has accepted them."""
        return tuple(finding for finding in self.findings if finding.accepted is None)

    @property
    def accepted_findings(self) -> tuple[Finding, ...]:
        """The findings that a configuration, a baseline or ``--ignore`` covers."""
        return tuple(finding for finding in self.findings if finding.accepted is not None)


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a model is named: a file, and a line of it where one is meant."""

    path: str
    """As the user wrote it."""
    line: int | None = None
    """From 1."""


@dataclass(frozen=True, slots=True)
class Tool:
    """The versions behind a report; tensorflow and keras are None where they were not used."""

    name: str
    version: str
    tensorflow: str | None
    keras: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole answer of one run."""

    tool: Tool
    models: tuple[ModelReport, ...]

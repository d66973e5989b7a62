"""Read what a child process sends, and believe nothing of it: a model file can have made it.

After ``--trust``, code of the file runs in the process that answers, and on every file a fault in
TensorFlow could let it. So the parent reads no more than it can hold, takes no other form than that
of an answer, and nothing that contradicts what it knows itself.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, NoReturn, TypeAlias

from gradflow.analysis.result import NO_TENSORFLOW, Analysis
from gradflow.catalogue import CATALOGUE
from gradflow.errors import CrashedError, UnreadableError, UnsafeError
from gradflow.files.paths import leads_out
from gradflow.findings import (
    DEEPEST,
    Cause,
    EntryList,
    Failure,
    Finding,
    FlowMap,
    Listing,
    ModelReport,
    Role,
    Route,
    Status,
    Tool,
    Variable,
    made_of,
    summarize,
)
from gradflow.process.request import Request
from gradflow.text import shown

MOST_SENT = 1 << 27
"""Characters of an answer, with all stages before it; one with 100,000 weights has 60 million."""
_MOST_LINES = 1000
_PIECE = 4096
"""Characters of a line of a log that are shown at a time."""
_LONGEST_VERSION = 100
_FAILURES = frozenset({UnreadableError.code, UnsafeError.code, CrashedError.code})
_UNREADABLE: list[Any] = []
"""Stands for a line that nothing accepts."""


Lines: TypeAlias = "queue.Queue[Any]"
"""What a child sends, as JSON values; None at its end."""


def lines_of(stream: IO[str]) -> Lines:
    """Return what a child sends as JSON values, line by line; None at its end, or where it sends
    too much. A thread reads, so that a deadline can be kept."""
    lines: Lines = queue.Queue()

    def pump() -> None:
        # The pipe is closed once the child is killed.
        with contextlib.suppress(OSError, ValueError):
            for line in _bounded(stream):
                lines.put(_parsed(line))
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    return lines


def relay(stream: IO[str], write: Callable[[str], object]) -> None:
    """Pass on a log line by line, and a line without an end in pieces."""
    while line := stream.readline(_PIECE):
        write(line)


def _bounded(stream: IO[str]) -> Iterator[str]:
    left = MOST_SENT
    for _ in range(_MOST_LINES):
        line = stream.readline(left)
        if not line:
            return
        left -= len(line)
        yield line if left else ""
        if not left:
            return
    yield ""


def _parsed(line: str) -> Any:
    """Return the line's JSON."""
    try:
        value = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError, MemoryError):
        return _UNREADABLE
    return _UNREADABLE if value is None else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def refuse_forged(answer: object, tool: Tool, request: Request) -> None:
    """Make sure that an answer can be what gradflow itself has made for ``request``.

    Raises:
        ValueError: it cannot.
    """
    _refuse_where(_is_foreign(tool), "other versions")
    if isinstance(answer, EntryList):
        _refuse_where(answer.path != request.shown, "another path")
        _check_failure(answer.error)
    elif isinstance(answer, Listing):
        _refuse_where(any(map(leads_out, answer.models)), "a path out of the folder")
        _refuse_where(min(answer.others, answer.hidden) < 0, "a negative size")
    elif isinstance(answer, Analysis):
        _check_report(answer.report, request)
        names = {variable.name for variable in answer.report.variables}
        _check_route(answer.route, names)
        _refuse_where(bool(answer.followed) and not request.options.follow, "more than was asked")
        for answered in answer.followed:
            _refuse_where(answered.route.variable != answered.variable.name, "two variables")
            _check_variable(answered.variable)
            _check_route(answered.route, names)


def _check_report(report: ModelReport, request: Request) -> None:
    _refuse_where(report.path != request.shown, "another path")
    _refuse_where(bool(report.name or report.expectations), "a judgement")
    _refuse_where((report.status is Status.FAILED) != (report.error is not None), "status")
    _refuse_where(report.status is Status.FAILED and bool(report.variables), "failed, and not")
    _check_failure(report.error)
    names = {variable.name for variable in report.variables}
    _refuse_where(len(names) < len(report.variables), "two variables of one name")
    for variable in report.variables:
        _check_variable(variable)
    _refuse_where(report.summary != summarize(report.variables), "a wrong sum")
    for finding in report.findings:
        _check_finding(finding, names)
    if report.map is not None:
        _refuse_where(not request.options.map, "a map that nobody asked for")
        _check_map(report.map, report.variables)


def _check_map(flow_map: FlowMap, variables: Sequence[Variable]) -> None:
    """Hold a map against the variables: it can be made of nothing else."""
    weights = {item.name: item for item in variables if item.role is Role.WEIGHT}
    drawn = [name for node in flow_map.nodes for name in node.variables]
    _refuse_where(sorted(drawn) != sorted(weights), "weights that are not on the map")
    depths: list[int] = []
    for number, node in enumerate(flow_map.nodes):
        parent = -1 if node.parent is None else node.parent
        _refuse_where(node.id != number or not -1 <= parent < number, "nodes out of order")
        depths.append(0 if node.parent is None else depths[parent] + 1)
    _refuse_where(max(depths, default=0) > DEEPEST, "a map without a bottom")
    inside: dict[int, list[Variable]] = {node.id: [] for node in flow_map.nodes}
    for node in reversed(flow_map.nodes):
        inside[node.id] += [weights[name] for name in node.variables]
        _refuse_where(made_of(node, inside[node.id]) != node, "a node that is not its weights")
        if node.parent is not None:
            inside[node.parent] += inside[node.id]
    named = {name for name, _ in flow_map.handles}
    _refuse_where(not weights.keys() >= named, "a node of a weight that there is not")
    ends = {end for edge in flow_map.edges for end in (edge.source, edge.target)}
    _refuse_where(not inside.keys() >= ends, "an edge to nowhere")


def _check_variable(variable: Variable) -> None:
    sizes = [variable.parameters, variable.cuts_to_restore or 0, *map(_size, variable.shape)]
    gradient = variable.gradient
    if gradient is not None:
        sizes += [gradient.rows_touched or 0]
        _refuse_where(not 0 <= gradient.zero_fraction <= 1, "a share")
        _refuse_where(min(gradient.norm or 0.0, gradient.max_abs or 0.0) < 0, "a negative norm")
    _refuse_where(min(sizes) < 0, "a negative size")
    for cause in variable.causes:
        _check_cause(cause)


def _size(size: int | None) -> int:
    return size or 0


def _check_finding(finding: Finding, names: set[str]) -> None:
    _refuse_where(finding.code not in CATALOGUE, "a code that there is not")
    _refuse_where(finding.accepted is not None, "a judgement")
    _refuse_where(not names.issuperset(finding.variables), "a variable that there is not")
    _check_cause(finding.cause)


def _check_cause(cause: Cause | None) -> None:
    _refuse_where(cause is not None and cause.code not in CATALOGUE, "a code that there is not")


def _check_failure(failure: Failure | None) -> None:
    _refuse_where(failure is not None and failure.code not in _FAILURES, "code of a failure")


def _check_route(route: Route | None, names: set[str]) -> None:
    if route is None:
        return
    _refuse_where(route.variable not in names, "a variable that there is not")
    for cause in (
        *(change.cause for change in route.changes),
        *(step.cause for step in (*route.steps, *route.way)),
        *route.other_ways,
    ):
        _check_cause(cause)


def _is_foreign(tool: Tool) -> bool:
    versions = (tool.tensorflow or "", tool.keras or "")
    return (tool.name, tool.version) != (NO_TENSORFLOW.name, NO_TENSORFLOW.version) or any(
        len(version) > _LONGEST_VERSION or shown(version) != version for version in versions
    )


def _refuse_where(is_wrong: bool, what: str) -> None:
    if is_wrong:
        raise ValueError(f"an answer with {what}")

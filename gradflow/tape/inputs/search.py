"""Find a synthetic batch that the model accepts, and try out what is not known of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from gradflow.errors import GradflowError, InputError, UsageError, is_lack_of_memory
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.options import InputSpec, Options
from gradflow.tape.inputs.attempts import Attempt, known_inputs, ladder, open_axes, shape_of
from gradflow.tape.inputs.batch import (
    MAX_ELEMENTS,
    Batch,
    BatchPlan,
    Composite,
    as_given,
    line,
    make_batch,
    names_of,
    use_of,
)
from gradflow.tape.inputs.error_hints import lessons
from gradflow.tape.inputs.graph_hints import NO_KNOWLEDGE, Knowledge
from gradflow.tape.inputs.user_arrays import given_array
from gradflow.tape.load.error_messages import BackwardError, first_line
from gradflow.text import near

T = TypeVar("T")

_MOST_LEARNED = 10
"""Attempts that follow what an error says; with those of the ladder there are about twenty, most of
them short."""
_ASSERTION = "assertion failed"
"""TensorFlow's words for an Assert in the graph (checked on 2.21)."""

__all__ = ["Batch", "with_batch"]


def with_batch(
    inputs: Sequence[TensorInfo],
    options: Options,
    id_limit: int | None,
    run: Callable[[Batch], T],
    learn: Callable[[], Knowledge] | None = None,
    *,
    is_cheap: bool = False,
    composites: Sequence[Composite] = (),
) -> tuple[Batch, T]:
    """Find a batch that ``run`` accepts and return both.

    Args:
        inputs: what the model takes, in the order of the batch's tensors.
        options: batch size, seed and what the user gives.
        id_limit: row numbers below this are valid for every embedding; None where nothing is known.
        run: takes a batch, or raises.
        learn: asks the graph what it does with the inputs.
        is_cheap: whether it may be asked before anything has gone wrong, though all inputs are
            floating.
        composites: inputs that are parts of one sparse or ragged tensor.

    Raises:
        UsageError: an ``--input`` names no input of the model, or its file cannot be read.
        InputError: no batch was accepted; the message shows the option to write.
        MemoryError: there is too little memory for a batch.
    """
    search = _Search(inputs, options, id_limit, tuple(composites), learn)
    if is_cheap or any(info.dtype not in FLOATING_NAMES for info in search.plan.free):
        search.ask()
    for attempt in search.attempts():
        batch = make_batch(search.plan, attempt)
        try:
            return batch, run(batch)
        except GradflowError:
            raise
        except Exception as error:  # a model's code can raise anything at all
            if is_lack_of_memory(error):
                raise MemoryError from error  # other sizes would find no more of it
            search.refuse(attempt, batch, error)
    raise search.refusal()


_SHOWN = 6
"""Inputs that a message names."""


class _Search:
    """The attempts that were made, and those that are still to be made."""

    def __init__(
        self,
        inputs: Sequence[TensorInfo],
        options: Options,
        id_limit: int | None,
        composites: tuple[Composite, ...],
        learn: Callable[[], Knowledge] | None,
    ) -> None:
        specs = _match(inputs, composites, options.inputs)
        self.plan = BatchPlan(
            inputs=tuple(inputs),
            specs=specs,
            options=options,
            composites=composites,
            knowledge=NO_KNOWLEDGE,
            high=id_limit,
        )
        self._learn = learn
        self._learned: list[Attempt] = []
        self._tried: set[object] = set()
        self._refused: list[tuple[Attempt, Batch, Exception]] = []
        self._most_telling: tuple[Attempt, Batch, Exception] | None = None
        """The refusal that says most: the last one of an attempt that an error led to."""

    def ask(self) -> None:
        """Ask the graph what it does with the inputs, once."""
        if self._learn is None:
            return
        learn, self._learn = self._learn, None
        try:
            knowledge = learn()
        except (
            GradflowError,
            KeyError,
            IndexError,
            ValueError,
        ):  # the graph is damaged: the step will tell
            return
        dtypes = {info.name: info.dtype for info in self.plan.inputs}
        ragged = (
            parts
            for parts in knowledge.uses.ragged
            if {dtypes[name] for name in parts.splits} <= {"int32", "int64"}
        )
        composites = self.plan.composites or (*knowledge.uses.sparse, *ragged)
        specs = self.plan.specs
        composites = tuple(
            composite
            for composite in composites
            if composite.name or specs.keys().isdisjoint(names_of(composite))
        )
        inputs = known_inputs(self.plan.inputs, knowledge.uses)
        self.plan = replace(self.plan, inputs=inputs, knowledge=knowledge, composites=composites)

    def attempts(self) -> Iterator[Attempt]:
        """Yield the first guess, then what errors led to, then the ladder."""
        first = Attempt(batch=_batch_size(self.plan))
        yield from self._new(first)
        learned = 0
        rest: Iterator[Attempt] | None = None
        while True:
            while self._learned and learned < _MOST_LEARNED:
                learned += 1
                yield from self._new(self._learned.pop(0))
            rest = rest or ladder(self.plan.guessed, first)
            following = next(rest, None)
            if following is None:
                return
            yield from self._new(following)

    def _new(self, attempt: Attempt) -> Iterator[Attempt]:
        """Yield the attempt, unless it is too large or nothing but a repetition."""
        shapes = tuple(shape_of(info, attempt) for info in self.plan.guessed)
        key = (shapes, attempt.high, attempt.float_ids)
        fits = (
            all(np.prod(shape, dtype=float) <= MAX_ELEMENTS for shape in shapes) or not self._tried
        )
        if key not in self._tried and fits:
            self._tried.add(key)
            yield attempt

    def refuse(self, attempt: Attempt, batch: Batch, error: Exception) -> None:
        """Learn from a batch that the model does not take."""
        is_learned = bool(attempt.sizes or attempt.ranks) and attempt.batch == _batch_size(
            self.plan
        )
        self._refused.append((attempt, batch, error))
        if self._most_telling is None or is_learned:
            self._most_telling = self._refused[-1]
        if isinstance(error, BackwardError):
            return
        if self._learn is not None:
            self.ask()
            self._learned.append(attempt)
            self._tried.clear()
        highest = attempt.high or max([self.plan.highest, *self._limits()])
        learned = lessons(str(error), attempt, self.plan.guessed, highest)
        # What follows from the newest error is tried first: it builds on what the others taught.
        self._learned = [*learned, *self._learned]

    def _limits(self) -> list[int]:
        return [
            high
            for info in self.plan.free
            if (high := use_of(self.plan, info.name).high) is not None
        ]

    def refusal(self) -> InputError:
        """Return the error that says what was tried and what to write."""
        if self._most_telling is None:
            return InputError(
                "the shape of the inputs is too large for a test batch", "give each with --input"
            )
        _, batch, error = self._most_telling
        if isinstance(error, BackwardError) and _ASSERTION in str(error):
            return InputError(
                f"a check of the model's own fails in the step: {first_line(error)}",
                "--inference steps it as for a prediction, where the check is for training alone; "
                "--static reads the file without running it",
            )
        if isinstance(error, BackwardError):
            return InputError(
                f"the forward pass runs, and TensorFlow fails to differentiate it: "
                f"{first_line(error)}",
                "--static reads the file without running it",
            )
        shown = _at_most(
            [
                f"{item.name}={item.dtype}[{','.join(map(str, item.shape))}]"
                for item in batch.described
            ],
            ", ",
        )
        refusal = InputError(
            f"the forward pass refuses the inputs {shown}{self._others()}: {first_line(error)}",
            self._way_out(batch),
        )
        refusal.__cause__ = error
        return refusal

    def _others(self) -> str:
        more = len(self._refused) - 1
        if not more:
            return ""
        axes = open_axes(self.plan.guessed, Attempt())
        tried = {
            shape_of(info, attempt)[axis]
            for attempt, _, _ in self._refused
            for info in self.plan.guessed
            for name, axis in axes
            if name == info.name and axis < len(shape_of(info, attempt))
        }
        sizes = f", sizes {', '.join(map(str, sorted(tried)))}" if len(tried) > 1 else ""
        return f" (and {more} others{sizes})"

    def _way_out(self, batch: Batch) -> str:
        """Say what to give; what was refused is no example of it."""
        lines = self._lines(batch)
        refused = [f"--input {line(item.name, item.dtype, item.shape)}" for item in batch.described]
        others = [text for text, tried in zip(lines, refused, strict=True) if text != tried]
        if others:
            return f"give others, such as {_at_most(others, ' ')}"
        real = [f"--input {item.name}=@batch.npz:{item.name}" for item in batch.described]
        return f"give real ones, from a file of NumPy: {_at_most(real, ' ')}"

    def _lines(self, batch: Batch) -> list[str]:
        parts = {
            name
            for composite in self.plan.composites
            if not composite.name
            for name in names_of(composite)
        }
        declared = {info.name: info for info in self.plan.inputs if info.name in self.plan.specs}
        lines = []
        for item in batch.described:
            # What the user gave is refused: it is no example of what to give.
            info = declared.get(item.name)
            dtype, shape = (
                (item.dtype, item.shape)
                if info is None or info.shape is None
                else (info.dtype, info.shape)
            )
            if shape[:1] == (None,):
                batch_size = item.shape[0] if item.shape else _batch_size(self.plan)
                shape = (batch_size, *shape[1:])  # the batch of the other inputs too
            if dtype == "string" or item.name in parts:
                lines.append(f"--input {item.name}=@batch.npz:{item.name}")
            else:
                lines.append(f"--input {line(item.name, dtype, shape)}")
        return lines


def _at_most(texts: Sequence[str], between: str) -> str:
    """Join ``texts``, the first of them where they are many."""
    more = len(texts) - _SHOWN
    return between.join(texts) if more < 2 else f"{between.join(texts[:_SHOWN])} and {more} more"


def _match(
    inputs: Sequence[TensorInfo], composites: Sequence[Composite], specs: Sequence[InputSpec]
) -> dict[str, InputSpec]:
    parts = {
        name: composite.name
        for composite in composites
        if composite.name
        for name in names_of(composite)
    }
    input_names = list(dict.fromkeys(parts.get(info.name, info.name) for info in inputs))
    named = {}
    for spec in specs:
        name = spec.name
        if spec.position is not None and spec.position < len(input_names):
            name = input_names[spec.position]
        if name not in input_names:
            raise UsageError(
                f"{spec.label} {name!r}: the model has no such input",
                f"{near(name, input_names)}its inputs are: {', '.join(input_names) or 'none'}",
            )
        # The type of a caller's array is for what the model declares nothing of.
        is_declared = any(info.name == name and info.shape is not None for info in inputs)
        dtype = None if spec.source and is_declared else spec.dtype
        named[name] = replace(spec, name=name, dtype=dtype)
    return named


def _batch_size(plan: BatchPlan) -> int:
    """What the user gives for one input with an open batch holds for the others too."""
    infos = {info.name: info for info in plan.inputs}
    wholes = {
        composite.name: as_given(composite, infos[composite.values])
        for composite in plan.composites
        if composite.name
    }
    for part in plan.inputs:
        info = wholes.get(part.name, part)
        spec = plan.specs.get(part.name)
        if spec is None or (
            info.shape is not None and (not info.shape or info.shape[0] is not None)
        ):
            continue
        shape = given_array(info, spec)[0].shape if spec.file is not None else spec.shape
        if shape:
            return int(shape[0])
    return plan.options.batch_size

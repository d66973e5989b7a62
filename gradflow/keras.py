"""Offer the callback for ``fit()``: ``gradflow.keras.FlowCheck()``.

Keras is not imported here: the callback has the methods that Keras 3 and tf_keras call.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

from gradflow.api import Report
from gradflow.errors import GradflowError, UsageError
from gradflow.findings import ModelReport, Role, Severity
from gradflow.options import in_python
from gradflow.patterns import all_covered
from gradflow.policy import Expectations, is_broken, judge
from gradflow.report.layout import Layout, columns
from gradflow.report.people.map_lines import map_text
from gradflow.report.text import render_model
from gradflow.training import Watch

__all__ = ["FlowCheck", "FlowError"]
_CHOICES = ("print", "raise")
_HOOKS = tuple(
    f"on_{part}_{end}"
    for part in (
        "epoch",
        "batch",
        "train_batch",
        "test_batch",
        "predict_batch",
        "train",
        "test",
        "predict",
    )
    for end in ("begin", "end")
)


class FlowError(GradflowError):
    """``fit()`` does not train as it should; the message is the report."""

    def __str__(self) -> str:
        """Return the report."""
        return self.message


class FlowCheck:
    """A callback that says which weights the first batch of ``fit()`` trains, and why not others.

    It prints the headline and the causes; later batches cost nothing.
    """

    async_safe = False

    def __init__(
        self,
        *,
        frozen: Sequence[str] | None = None,
        trainable: Sequence[str] = (),
        on_problem: str = "print",
        every: int | None = None,
        log_dir: Any = None,
    ) -> None:
        """Say what is expected.

        Args:
            frozen: patterns of names, such as ``backbone/**``: these are frozen, and nothing else
                is; by default nothing is said about that.
            trainable: patterns of names: these are trainable, and their gradient flows.
            on_problem: ``"print"``, or ``"raise"`` to end ``fit()`` with a ``FlowError``.
            every: look into each batch whose number is a multiple of this too.
            log_dir: folder for TensorBoard: the norm of the gradient of each layer as a scalar, the
                report and the map of gradient flow as text.

        Raises:
            UsageError: a value is not one that it can be.
        """
        if on_problem not in _CHOICES:
            raise UsageError(f"on_problem={on_problem!r}", "it is 'print' or 'raise'")
        if every is not None and (isinstance(every, bool) or every < 1):
            raise UsageError(f"every={every!r}", "it is a number of batches, from 1")
        self.frozen = None if frozen is None else tuple(frozen)
        self.trainable = tuple(trainable)
        self.on_problem = on_problem
        self.every = every
        self.log_dir = log_dir
        self.params: Any = None
        self.model: Any = None
        self.report: Report | None = None
        """Of the batch that was looked into last."""
        self._batches = 0
        self._watched: list[Watch] = []

    def set_params(self, params: Any) -> None:
        """Take what Keras says of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model that is trained."""
        self.model = model

    def on_train_begin(self, logs: Any = None) -> None:
        """Count the batches of this ``fit()`` from the first."""
        self._batches = 0

    def on_train_end(self, logs: Any = None) -> None:
        """Forget the traces of this ``fit()``."""
        while self._watched:
            self._watched.pop().discard()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Have the batch watched where it is its turn."""
        number = self._batches
        self._batches += 1
        if number == 0 or (self.every is not None and number % self.every == 0):
            self._watch_next(number)

    def _watch_next(self, number: int) -> None:
        """Stand in for the function that trains on a batch, for one call."""
        model, train = self.model, self.model.train_function

        def watched(*args: Any, **kwargs: Any) -> Any:
            model.train_function = train
            with_map = self.log_dir is not None
            with Watch([model], str(model.name), with_map=with_map) as step:
                result = train(*args, **kwargs)
            self._watched = [step]
            if self.every is None:
                step.discard()
            self._told(step.report, number)
            return result

        model.train_function = watched

    def _told(self, report: Report, number: int) -> None:
        judged = self._judged(report.models[0])
        self.report = Report(report.tool, (judged,))
        if self.log_dir is not None:
            from gradflow.tape.watching.summary import write_summary

            texts = {"gradflow": in_python(render_model(judged, Layout(width=100)))}
            if judged.map is not None:
                texts["gradflow/map"] = map_text(judged.map, Layout(width=100))
            write_summary(str(self.log_dir), judged, texts, number)
        text = in_python(render_model(judged, _layout_of(sys.stdout)))
        if self.on_problem == "raise" and is_broken(judged, Severity.WARNING):
            raise FlowError(text)
        if number and (self.params or {}).get("verbose"):
            text = f"\n{text}"  # the line before is that of Keras, whose progress stands in it
        print(text)  # noqa: T201  # as Keras prints its own progress

    def _judged(self, model: ModelReport) -> ModelReport:
        if self.frozen is None and not self.trainable:
            return model
        expected = Expectations(
            frozen=self._frozen(model),
            trainable=self.trainable,
            accepting="frozen=[...] accepts it",
        )
        return judge(model, expected, date.today())

    def _frozen(self, model: ModelReport) -> tuple[str, ...]:
        """Return what may be frozen: all that is and that ``trainable`` does not name, where
        nothing is said."""
        if self.frozen is not None:
            return self.frozen
        weights = [variable for variable in model.variables if variable.role is Role.WEIGHT]
        named = {variable.name for variable in all_covered(self.trainable, weights)}
        return tuple(
            variable.name
            for variable in weights
            if not variable.trainable and variable.name not in named
        )

    def _implements_train_batch_hooks(self) -> bool:
        """Tell tf_keras that it wants to hear of the batches of ``fit()``."""
        return True

    def _implements_test_batch_hooks(self) -> bool:
        return False

    def _implements_predict_batch_hooks(self) -> bool:
        return False

    @property
    def _supports_tf_logs(self) -> bool:
        return True


def _layout_of(stream: Any) -> Layout:
    """Return the layout for what is printed; a notebook's stream has less than a file has, and
    there may be none."""
    is_terminal = hasattr(stream, "isatty") and stream.isatty()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return Layout(width=columns(is_terminal=is_terminal), encoding=encoding)


def _idle(self: FlowCheck, *args: Any, **kwargs: Any) -> None:
    """Do nothing."""


_idle._is_default = True  # type: ignore[attr-defined]  # as Keras marks what it need not call
for _hook in _HOOKS:
    if not hasattr(FlowCheck, _hook):
        setattr(FlowCheck, _hook, _idle)

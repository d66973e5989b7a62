"""Watch a training step of the user's own, and say what it does for each weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gradflow.api import Report
from gradflow.errors import UsageError
from gradflow.findings import ModelReport, Role, Variable, Verdict
from gradflow.installed import NOT_INSTALLED, has_tensorflow, install_command
from gradflow.patterns import TAKEN_OUT, all_covered, covers
from gradflow.text import shown

if TYPE_CHECKING:
    from gradflow.analysis.watched import Conclusion
    from gradflow.tape.watching.kept_traces import Look
    from gradflow.tape.watching.recorder import Record

_NO_CAUSE = "its gradient flows, an optimizer got it, and the step leaves every bit as it was"


def watch(*models: Any, name: str = "step", map: bool = False) -> Watch:
    """Watch what a training step does with gradients: ``with gradflow.watch() as watched:``.

    The step is whatever runs in the block: a loop of your own, a call of a ``tf.function``,
    ``train_on_batch``. Then ``watched.report`` has the verdict of your loss on your data for each
    weight. The step changes the weights as it does unwatched, bit for bit.

    A ``tf.function`` that trains is called as it is. Then its Python code is traced once more, and
    run on the same data with the variables set back, to measure the gradients; what that code does
    besides computing is done once more too.

    Args:
        models: Keras models, layers or ``tf.Module``s whose weights the report is to have, also
            where the step does not call them.
        name: what the report calls the step.
        map: draw the map of gradient flow too, for ``report.to_html()`` and ``to_json()``.

    Raises:
        UsageError: TensorFlow is not installed.
    """
    if not has_tensorflow():
        raise UsageError(f"a step is watched, and {NOT_INSTALLED}", install_command("tf"))
    return Watch(models, name, with_map=map)


class Watch:
    """A step that is watched, which ``gradflow.watch`` returns."""

    def __init__(
        self,
        models: Sequence[Any],
        name: str,
        *,
        with_map: bool = False,
    ) -> None:
        """Prepare."""
        self._with_map = with_map
        self._models = models
        self._name = name
        self._conclusion: Conclusion | None = None
        self._recording: AbstractContextManager[Record] | None = None
        self._record: Record | None = None
        self._looks: list[Look] = []

    def __enter__(self) -> Watch:
        """Begin to listen."""
        from gradflow.tape.watching.patches import recording

        self._recording = recording(self._models)
        self._record = self._recording.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening and make the report; an exception of the step goes on."""
        recording, record = self._recording, self._record
        self._recording = self._record = None
        if recording is None or record is None:
            return
        recording.__exit__(None, None, None)
        if error is None:
            from gradflow.analysis.watched import conclude
            from gradflow.tape.watching.step_weights import step_weights

            self._conclusion = conclude(
                record, step_weights(record), self._name, with_map=self._with_map
            )
            self._looks += record.looks

    def discard(self) -> None:
        """Keep the traces that were made for the report no longer."""
        while self._looks:
            self._looks.pop().discard()

    @property
    def report(self) -> Report:
        """The report of the step.

        Raises:
            UsageError: the step has not ended, or has raised an exception.
        """
        conclusion = self._concluded()
        return Report(conclusion.tool, (conclusion.model,))

    @property
    def moved(self) -> Mapping[str, bool | None]:
        """Whether the step changed each variable, by its name in the report; None where the
        variable was made in the step, so that nobody knows.

        Raises:
            UsageError: as for ``report``.
        """
        return self._concluded().moved

    def _concluded(self) -> Conclusion:
        if self._conclusion is None:
            raise UsageError(
                f"{self._name}: there is no report", "ask for it once the block has ended"
            )
        return self._conclusion


def assert_trains(
    step: Callable[..., Any], *args: Any, frozen: Sequence[str] = (), models: Sequence[Any] = ()
) -> Report:
    """Run one training step, and fail unless it changes every weight that it should.

    The weights are compared before and after, bit for bit.

    Args:
        step: what is run, with ``args``.
        args: what it takes.
        frozen: patterns of names, such as ``backbone/**``: these have to stay as they are.
        models: Keras models, layers or ``tf.Module``s whose weights are to be compared, also where
            the step does not call them.

    Returns the report of the step.

    Raises:
        AssertionError: a weight did not change, or one of ``frozen`` did; each is explained.
        UsageError: TensorFlow is not installed, or the step has no weights.
    """
    __tracebackhide__ = True
    name = str(getattr(step, "__name__", None) or type(step).__name__)
    with watch(*models, name=name) as watched:
        step(*args)
    [model] = watched.report.models
    lines = list(_broken(model, watched.moved, frozen))
    if lines:
        raise AssertionError("\n  ".join([f"{name}: the step does not train as it should", *lines]))
    if not model.summary.weights:
        raise UsageError(f"{name}: the step has no weights", "models=[...] names them")
    return watched.report


def _broken(
    model: ModelReport, moved: Mapping[str, bool | None], frozen: Sequence[str]
) -> Iterator[str]:
    """Yield a line for each weight that did not change and should, or did and should not."""
    weights = [variable for variable in model.variables if variable.role is Role.WEIGHT]
    still = {variable.name for variable in all_covered(frozen, weights)}
    for pattern in frozen:
        if not any(covers(pattern.removeprefix(TAKEN_OUT), variable) for variable in weights):
            yield f"frozen={pattern!r}: it covers no weight of the step"
    for variable in weights:
        name = shown(variable.name)
        has_moved = moved.get(variable.name)
        if has_moved and variable.name in still:
            yield f"{name}: it changed, and frozen names it"
        elif has_moved is None and variable.name not in still:
            yield f"{name}: it was made in the step: run the step once before, or build the model"
        elif has_moved is False and variable.name not in still:
            yield f"{name}: it did not change: {_why_still(model, variable)}"


def _why_still(model: ModelReport, variable: Variable) -> str:
    """Return why a weight did not change, in the words of the findings about it."""
    about = [finding for finding in model.findings if variable.name in finding.variables]
    words = [f"{finding.code} {shown(finding.message)}" for finding in about]
    if not words and variable.verdict is Verdict.UNKNOWN:
        return "no gradient of it could be measured"
    if not words:
        words = [_NO_CAUSE]
    return "; ".join(words)

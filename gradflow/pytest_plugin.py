"""Offer the pytest fixture ``gradflow``, whose failures show the findings of a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from gradflow.findings import ModelReport, Severity, Status, Verdict
from gradflow.policy import FROZEN_PATTERNS, Expectations, is_broken, judge


class Gradflow:
    """Assertions about the gradients of a model."""

    def assert_flows(
        self,
        model: Any,
        *,
        frozen: Sequence[str] = (),
        inputs: Any = None,
        outputs: str | Sequence[str] = (),
        training: bool = True,
        **options: Any,
    ) -> ModelReport:
        """Fail the test unless the weights that ``frozen`` names are frozen, and all others get a
        gradient.

        Args:
            model: a Keras model or ``tf.Module`` in memory, or the path of a model file.
            frozen: patterns of names, such as ``backbone/**``; each has to cover something.
            inputs: how to make an input, by its name, as ``gradflow.inspect`` takes it.
            outputs: names of the outputs that count; all by default.
            training: call the model in training mode.
            options: others of ``gradflow.inspect``.

        Returns the model's report.
        """
        __tracebackhide__ = True
        # Imported here: pytest loads this module in every run, also of those who never use it.
        import gradflow
        from gradflow.installed import NOT_INSTALLED, has_tensorflow, install_command

        if not options.get("static") and not has_tensorflow():
            pytest.fail(
                f"{NOT_INSTALLED}, and no gradient can be measured: {install_command('tf')}; or "
                f"read the file only: static=True",
                pytrace=False,
            )
        report = gradflow.inspect(
            model,
            inputs=inputs,
            outputs=[outputs] if isinstance(outputs, str) else list(outputs),
            training=training,
            **options,
        )
        expected = Expectations(
            frozen=tuple(frozen) or None, accepting=f"frozen={FROZEN_PATTERNS} accepts it"
        )
        judged = judge(report.models[0], expected, date.today())
        if judged.status is Status.FAILED or is_broken(judged, Severity.WARNING):
            pytest.fail(_text(judged), pytrace=False)
        unknown = [
            variable.name
            for variable in judged.variables
            if variable.trainable and variable.verdict is Verdict.UNKNOWN
        ]
        if unknown:
            pytest.fail(
                f"{judged.path}: read without TensorFlow, the gradient of {unknown[0]} is unknown",
                pytrace=False,
            )
        return judged


@pytest.fixture
def gradflow() -> Gradflow:
    """Checks on the gradients of models: ``gradflow.assert_flows(model,
    frozen=["backbone/**"])``."""
    return Gradflow()


def _text(model: ModelReport) -> str:
    from gradflow.options import in_python
    from gradflow.report.layout import Layout
    from gradflow.report.text import render_model

    return in_python(render_model(model, Layout(width=100)))

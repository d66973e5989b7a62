"""A tf.Module in memory in, a Subject out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from gradflow.errors import InputError, UsageError
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.model_file import StoredVariable
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.findings import Role
from gradflow.tape.load.keras_inputs import learner
from gradflow.tape.load.untracked import describer
from gradflow.tape.loaded_model import HALVES, SINGLE, Subject, Watched
from gradflow.tape.trace import trace


def module_subject(module: Any, entry: str | None, input_names: Sequence[str] = ()) -> Subject:
    """Describe a ``tf.Module``: ``entry`` is a method, ``__call__`` by default.

    Raises:
        UsageError: it has no such method.
        InputError: the method has no input signature, and no inputs are given.
    """
    name = entry or "__call__"
    function = getattr(module, name, None)
    if function is None:
        raise UsageError(f"{type(module).__name__} has no method {name!r}", "name one with entry=")
    inputs = _inputs(function, name, input_names)

    def call(tensors: Sequence[Any]) -> list[tuple[str, Any]]:
        outputs = function(*tensors)
        names = sorted(outputs) if isinstance(outputs, dict) else None
        flat = tf.nest.flatten(outputs)
        return list(
            zip(names or [f"output_{place}" for place in range(len(flat))], flat, strict=True)
        )

    watched = tuple(_watched(module))
    return Subject(
        producer=f"tensorflow {tf.__version__}",
        entry=name,
        inputs=inputs,
        id_limit=None,
        call=call,
        watched=watched,
        trace=functools.partial(trace, call),
        epsilon=max((HALVES.get(item.stored.dtype, SINGLE) for item in watched), default=SINGLE),
        describe=describer(lambda _: None),
        learn=learner(functools.partial(trace, call), inputs),
    )


def _inputs(function: Any, name: str, input_names: Sequence[str]) -> tuple[TensorInfo, ...]:
    signature = getattr(function, "input_signature", None)
    if signature:
        specs = tf.nest.flatten(signature)
        return tuple(
            TensorInfo(
                spec.name or f"input_{place}",
                spec.dtype.name,
                None if spec.shape.rank is None else tuple(spec.shape),
            )
            for place, spec in enumerate(specs)
        )
    if input_names:
        return tuple(TensorInfo(given, "float32", None) for given in input_names)
    raise InputError(
        f"{name}: has no input signature", "give each input: inputs={'x': 'float32[4,16]'}"
    )


def _watched(module: Any) -> Sequence[Watched]:
    seen: dict[str, int] = {}
    watched = []
    for variable in module.variables:
        base = variable.name.removesuffix(":0")
        seen[base] = seen.get(base, 0) + 1
        name = base if seen[base] == 1 else f"{base}@{seen[base]}"
        role = (
            Role.WEIGHT
            if variable.trainable and variable.dtype.name in FLOATING_NAMES
            else Role.STATE
        )
        stored = StoredVariable(
            name=name,
            layer=name.rpartition("/")[0] or None,
            shape=tuple(variable.shape),
            dtype=variable.dtype.name,
            role=role,
            trainable=role is Role.WEIGHT,
            frozen_by=None,
        )
        watched.append(Watched(stored, variable))
    return watched

"""Describe a method of a tf.Module in memory."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from gradflow.errors import InputError, UsageError
from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.model_file import StoredVariable
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.files.saved_model.variables import owner_of, path_in_module
from gradflow.findings import Role
from gradflow.tape.inputs.callers_arrays import by_position
from gradflow.tape.load.untracked import describe_untracked
from gradflow.tape.loaded_model import HALVES, SINGLE, NamedTensors, Watched, dense_parts
from gradflow.tape.taped_model import TapedModel


class ModuleMethod(TapedModel):
    """A method of a ``tf.Module``."""

    finds_untracked = True

    def __init__(self, module: Any, entry: str | None, input_names: Sequence[str] = ()) -> None:
        """Describe the method ``entry`` of ``module``, ``__call__`` by default.

        Raises:
            UsageError: it has no such method.
            InputError: the method has no input signature, and no inputs are given.
        """
        self.entry = entry or "__call__"
        self._method: Any = getattr(module, self.entry, None)
        if self._method is None:
            raise UsageError(
                f"{type(module).__name__} has no method {self.entry!r}", "name one with entry="
            )
        self.producer = f"tensorflow {tf.__version__}"
        self.watched = tuple(_watched(module))
        self.inputs = _inputs(self._method, self.entry, input_names, _floating(self.watched))
        self.scopes_are_layers = _holds_layers(module)
        self.epsilon = max(
            (HALVES.get(item.stored.dtype, SINGLE) for item in self.watched), default=SINGLE
        )

    def call(self, tensors: Sequence[Any]) -> NamedTensors:
        """Call the method on ``tensors``, in the order of ``inputs``; return its outputs."""
        outputs = self._method(*tensors)
        flat = tf.nest.flatten(outputs)
        names = (
            sorted(outputs)
            if isinstance(outputs, dict)
            else [f"output_{position}" for position in range(len(flat))]
        )
        named = zip(names, flat, strict=True)
        return [part for name, value in named for part in dense_parts(name, value)]

    def describe(self, variables: Sequence[Any]) -> Sequence[StoredVariable | None]:
        """Records of variables that the method reads and the module does not track."""
        return describe_untracked(variables, lambda _: None)


def _holds_layers(module: Any) -> bool:
    """Return whether a part of the module is a layer of Keras 2 or 3: no other code names its
    scopes after layers."""
    parts = module._flatten(predicate=lambda part: hasattr(type(part), "add_weight"))
    return next(iter(parts), None) is not None


def _floating(watched: Sequence[Watched]) -> str:
    """Return the type that a module computes in, as a module of float64 (GPflow) takes no other."""
    types = {item.stored.dtype for item in watched if item.stored.dtype in FLOATING_NAMES}
    return types.pop() if len(types) == 1 else "float32"


def _inputs(
    function: Any, entry: str, input_names: Sequence[str], dtype: str
) -> tuple[TensorInfo, ...]:
    signature = getattr(function, "input_signature", None)
    if signature:
        specs = tf.nest.flatten(signature)
        return tuple(
            TensorInfo(
                spec.name or f"input_{position}",
                spec.dtype.name,
                None if spec.shape.rank is None else tuple(spec.shape),
            )
            for position, spec in enumerate(specs)
        )
    if input_names:
        arguments = inspect.signature(function).parameters
        names = by_position(input_names, arguments)
        return tuple(TensorInfo(name, dtype, None) for name in names)
    raise InputError(
        f"{entry}: has no input signature", "give each input: inputs={'x': 'float32[4,16]'}"
    )


def _watched(module: Any) -> Sequence[Watched]:
    paths = {
        id(variable): tuple(map(str, path))
        for path, variable in module._flatten(
            predicate=lambda part: isinstance(part, tf.Variable), with_path=True
        )
    }
    counts = Counter(variable.name for variable in module.variables)
    watched = []
    for number, variable in enumerate(module.variables):
        name = variable.name.removesuffix(":0")
        path = paths.get(id(variable), (str(number),))
        owner = owner_of(path)
        if counts[variable.name] > 1 or owner != path:
            name = f"{name}@{'.'.join(owner)}"
        role = (
            Role.WEIGHT
            if variable.trainable and variable.dtype.name in FLOATING_NAMES
            else Role.STATE
        )
        stored = StoredVariable(
            name=name,
            layer=name.partition("@")[0].rpartition("/")[0] or None,
            shape=tuple(variable.shape),
            dtype=variable.dtype.name,
            role=role,
            trainable=role is Role.WEIGHT,
            frozen_by=None,
            declared_trainable=variable.trainable and variable.dtype.name not in FLOATING_NAMES,
            layer_path=path_in_module(name, owner),
        )
        watched.append(Watched(stored, variable))
    return watched

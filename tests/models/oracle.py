"""Ask the bare tape about every variable of a model or its file: the oracle of the tests.

It does what any careful user would write by hand: load, make a batch, project the outputs onto
fixed random directions, ask one GradientTape that watches every variable. It uses nothing of
gradflow.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

UNKNOWN_BATCH = 4
UNKNOWN_SIZE = 16


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What one input of the batch looks like."""

    name: str
    shape: tuple[int | None, ...]
    """Batch included; unknown sizes are filled in."""
    dtype: str
    high: int = 2
    """Integers are drawn from 0 to ``high - 1``."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one backward step brought to one variable."""

    verdict: str
    """``none``, ``zero``, ``flows`` or ``nonfinite``."""
    norm: float
    """0 where there is no gradient or none that is finite."""


Batch = Mapping[str, tf.Tensor]
"""Tensors by the name of the input; those of a sparse input of Keras are ``x.indices``, ``x`` and
``x.dense_shape``."""


def measure_model(
    model: keras.Model,
    specs: Sequence[InputSpec] | None = None,
    seed: int = 0,
    training: bool = True,
    given: Batch | None = None,
) -> dict[str, list[Measured]]:
    """Measure a Keras model in memory, by variable path; equal paths stand in one list."""
    batch = (
        list(make_batch(specs or specs_of(model), seed).values())
        if given is None
        else _joined(model, given)
    )
    packed: Any = batch if len(batch) > 1 else batch[0]
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict):
        packed = keras.tree.pack_sequence_as(structure, batch)
    variables = [(variable.path, variable.value) for variable in model.variables]

    def call() -> Any:
        return model(packed, training=training)

    return step(call, variables, seed)


def measure_loss(model: keras.Model, targets: Any, seed: int = 0) -> dict[str, list[Measured]]:
    """Measure the loss of a compiled Keras model on ``targets``, by variable path, without the
    regularizers of its weights."""
    for variable in model.trainable_weights:
        variable.regularizer = None
    batch = list(make_batch(specs_of(model), seed).values())
    metrics = {id(variable) for variable in model.metrics_variables}
    variables = [
        (variable.path, variable.value)
        for variable in model.variables
        if id(variable) not in metrics
    ]

    def call() -> Any:
        outputs = model(batch if len(batch) > 1 else batch[0], training=True)
        return model.compute_loss(x=None, y=targets, y_pred=outputs)

    return step(call, variables, seed)


def measure_file(
    path: Path,
    specs: Sequence[InputSpec] | None = None,
    entry: str = "serving_default",
    seed: int = 0,
    given: Batch | None = None,
) -> dict[str, list[Measured]]:
    """Measure a Keras file (in training mode) or one signature of a SavedModel folder.

    ``given`` is the batch, where it is not to be made here.
    """
    if path.is_file():
        # ConvNeXt has weights that are named by a counter of the process.
        keras.backend.clear_session()
        try:
            model = keras.models.load_model(path, compile=False)
        except Exception:  # Keras raises some twenty types for a file that it cannot read
            if importlib.util.find_spec("tf_keras") is None:
                raise
            from tests.models.oracle2 import load_keras2, measure_keras2

            return measure_keras2(load_keras2(path), specs, seed, given=given)
        return measure_model(model, specs, seed, given=given)
    if _is_tf1(path):
        return _measure_tf1(path, specs, entry, seed, given)
    if given is not None:
        specs = [
            InputSpec(name, tuple(tensor.shape), tensor.dtype.name)
            for name, tensor in given.items()
        ]
    # The name keeps the variables alive while the function runs.
    loaded = tf.saved_model.load(str(path))
    if entry in getattr(loaded, "signatures", {}):
        function = loaded.signatures[entry]
        if specs is None:
            arguments = function.structured_input_signature[1]
            specs = [
                InputSpec(name, tuple(spec.shape), spec.dtype.name)
                for name, spec in arguments.items()
            ]
        batch = make_batch(specs, seed) if given is None else given
        call = functools.partial(function, **batch)
    else:
        function = _variant(loaded, entry, specs)
        values = iter((make_batch(specs or (), seed) if given is None else given).values())
        filled = [
            next(values) if isinstance(one, tf.TensorSpec) else one
            for one in tf.nest.flatten(function.structured_input_signature, expand_composites=True)
        ]
        args, kwargs = tf.nest.pack_sequence_as(
            function.structured_input_signature, filled, expand_composites=True
        )
        call = functools.partial(function, *args, **kwargs)
    return step(
        call,
        [(variable.name.removesuffix(":0"), variable) for variable in function.variables],
        seed,
    )


def _joined(model: keras.Model, given: Batch) -> list[Any]:
    """What a model is called with, flat; sparse and ragged inputs are put together from their
    parts."""
    if not getattr(model, "inputs", None):
        return list(given.values())  # a subclassed model
    joined: list[Any] = []
    for entry in model.inputs:
        value = given[entry.name]
        if getattr(entry, "sparse", False):
            value = tf.SparseTensor(
                given[f"{entry.name}.indices"], value, given[f"{entry.name}.dense_shape"]
            )
            value.set_shape(entry.shape)
        elif getattr(entry, "ragged", False):
            value = tf.RaggedTensor.from_row_splits(value, given[f"{entry.name}.row_splits"])
        joined.append(value)
    return joined


def _variant(loaded: Any, entry: str, specs: Sequence[InputSpec] | None) -> Any:
    """The trace of a function that ``name(training=True)`` means, for inputs of the names and
    shapes given."""
    name, _, arguments = entry.partition("(")
    variants = list(functools.reduce(getattr, name.split("."), loaded).concrete_functions)
    for flag in ("True", "False"):
        if f"training={flag}" in arguments:
            variants = [
                one
                for one in variants
                if any(
                    str(leaf) == flag for leaf in tf.nest.flatten(one.structured_input_signature)
                )
            ]
    for one in variants:
        leaves = tf.nest.flatten(one.structured_input_signature, expand_composites=True)
        shapes = [
            tuple(leaf.shape)
            for leaf in leaves
            if isinstance(leaf, tf.TensorSpec) and leaf.shape.rank is not None
        ]
        given = [spec.shape for spec in specs or ()]
        if len(shapes) == len(given) and all(map(_fits, shapes, given)):
            return one
    return variants[0]


def _fits(declared: Sequence[int | None], given: Sequence[int | None]) -> bool:
    return len(declared) == len(given) and all(
        one in (None, other) for one, other in zip(declared, given, strict=True)
    )


def measure_module(
    module: tf.Module, entry: str = "serve", seed: int = 0
) -> dict[str, list[Measured]]:
    """Measure a ``tf.Module`` in memory whose function ``entry`` has an input signature."""
    function = getattr(module, entry)
    flat = tf.nest.flatten(function.input_signature)
    specs = [InputSpec(spec.name, tuple(spec.shape), spec.dtype.name) for spec in flat]
    call = functools.partial(function, *make_batch(specs, seed).values())
    return step(
        call, [(variable.name.removesuffix(":0"), variable) for variable in module.variables], seed
    )


def trainable_after_loading(path: Path) -> dict[str, bool]:
    """Which variables of a Keras file an optimizer would update, by path."""
    keras.backend.clear_session()
    model = keras.models.load_model(path, compile=False)
    updated = {id(variable) for variable in model.trainable_variables}
    return {variable.path: id(variable) in updated for variable in model.variables}


def specs_of(model: keras.Model) -> list[InputSpec]:
    """The inputs that a Keras model declares."""
    return [
        InputSpec(entry.name, tuple(entry.shape), keras.backend.standardize_dtype(entry.dtype))
        for entry in model.inputs
    ]


def make_batch(specs: Iterable[InputSpec], seed: int) -> dict[str, tf.Tensor]:
    """Normal floats, small integers, coin flips, words: as many as the shapes ask for."""
    random = np.random.default_rng(seed)
    batch = {}
    for spec in specs:
        shape = [
            size or (UNKNOWN_SIZE if axis else UNKNOWN_BATCH)
            for axis, size in enumerate(spec.shape)
        ]
        dtype = tf.as_dtype(spec.dtype)
        if dtype.is_floating:
            values = random.normal(size=shape)
        elif dtype == tf.string:
            values = random.choice(np.array(["some", "words", "of", "text"]), size=shape)
        else:
            values = random.integers(0, 2 if dtype.is_bool else spec.high, size=shape)
        batch[spec.name] = (
            tf.constant(values, dtype)
            if dtype == tf.string
            else tf.cast(tf.constant(values), dtype)
        )
    return batch


def _is_tf1(path: Path) -> bool:
    """Whether the folder holds a bare TensorFlow 1 graph: TensorFlow 2 shows no variables of it."""
    return not _meta_graph(path, "").HasField("object_graph_def")


def _meta_graph(path: Path, tag: str) -> meta_graph_pb2.MetaGraphDef:
    file = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    return next(
        (one for one in file.meta_graphs if tag in one.meta_info_def.tags), file.meta_graphs[0]
    )


def _measure_tf1(
    path: Path, specs: Sequence[InputSpec] | None, entry: str, seed: int, given: Batch | None = None
) -> dict[str, list[Measured]]:
    """The same step in a TensorFlow 1 session."""
    entry, _, tag = entry.partition("@")
    meta_graph = _meta_graph(path, tag)
    signature = meta_graph.signature_def[entry]
    if specs is None:
        specs = [
            InputSpec(
                name,
                tuple(max(dim.size, 0) or None for dim in info.tensor_shape.dim),
                tf.as_dtype(info.dtype).name,
            )
            for name, info in signature.inputs.items()
        ]
    batch = make_batch(specs, seed) if given is None else given
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        tf.compat.v1.saved_model.load(session, list(meta_graph.meta_info_def.tags), str(path))
        feeds = {signature.inputs[name].name: value.numpy() for name, value in batch.items()}
        outputs = [graph.get_tensor_by_name(info.name) for info in signature.outputs.values()]
        values = session.run(outputs, feeds)
        random = np.random.default_rng(seed + 1)
        floating = [
            (part, value)
            for one, value in zip(outputs, values, strict=True)
            for part in _real_parts(one)
        ]
        directions = [
            tf.constant(random.normal(size=value.shape), part.dtype) for part, value in floating
        ]
        variables = [
            one for one in tf.compat.v1.global_variables() if one.dtype.base_dtype.is_floating
        ]
        gradients: list[Any] = [None] * len(variables)
        if floating:
            fed = [graph.get_tensor_by_name(name) for name in feeds]
            tf.compat.v1.disable_control_flow_v2()  # as in TensorFlow 1
            gradients = tf.gradients(
                [one for one, _ in floating], variables, grad_ys=directions, stop_gradients=fed
            )
            tf.compat.v1.enable_control_flow_v2()
        return {
            variable.name.removesuffix(":0"): [
                _judge(None if gradient is None else _run(session, gradient, feeds))
            ]
            for variable, gradient in zip(variables, gradients, strict=True)
        }


def _run(session: Any, gradient: tf.Tensor | tf.IndexedSlices, feeds: dict[str, Any]) -> Any:
    return session.run(tf.convert_to_tensor(gradient), feeds)


def step(
    call: Callable[[], Any], variables: Sequence[tuple[str, tf.Variable]], seed: int
) -> dict[str, list[Measured]]:
    """One backward step of ``call``'s projected outputs, by the names of the variables."""
    floating = [
        (name, variable)
        for name, variable in variables
        if variable.dtype.is_floating or variable.dtype.is_complex
    ]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for _, variable in floating:
            tape.watch(variable)
        objective = _project(tf.nest.flatten(call(), expand_composites=True), seed)
    if objective is None:
        gradients = [None] * len(floating)
    else:
        gradients = tape.gradient(objective, [variable for _, variable in floating])
    found: dict[str, list[Measured]] = {}
    for (name, _), gradient in zip(floating, gradients, strict=True):
        found.setdefault(name, []).append(_judge(gradient))
    return found


def _project(outputs: Sequence[tf.Tensor], seed: int) -> tf.Tensor | None:
    """The sum of all floating outputs times fixed normal numbers; None where no output is
    floating."""
    random = np.random.default_rng(seed + 1)
    terms = [
        tf.reduce_sum(real * tf.cast(random.normal(size=real.shape), real.dtype))
        for output in outputs
        if output is not None
        for real in _real_parts(output)
    ]
    return tf.add_n([tf.cast(term, tf.float64) for term in terms]) if terms else None


def _real_parts(output: tf.Tensor) -> list[tf.Tensor]:
    """A floating output itself; of a complex one its real and its imaginary part."""
    if output.dtype.is_complex:
        return [tf.math.real(output), tf.math.imag(output)]
    return [output] if output.dtype.is_floating else []


def _judge(gradient: tf.Tensor | tf.IndexedSlices | np.ndarray | None) -> Measured:
    if gradient is None:
        return Measured("none", 0.0)
    dense = tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient
    values = np.asarray(dense)
    values = values.astype(np.complex128 if np.iscomplexobj(values) else np.float64)
    if not np.isfinite(values).all():
        return Measured("nonfinite", 0.0)
    return Measured("flows" if values.any() else "zero", float(np.linalg.norm(values)))

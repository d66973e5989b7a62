"""List the inputs of a Keras model, and pack tensors into the structure of its call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from gradflow.errors import InputError
from gradflow.files.saved_model.contents import TensorInfo
from gradflow.flow.input_use.uses import RaggedParts, SparseParts
from gradflow.tape.inputs.batch import Composite
from gradflow.tape.inputs.callers_arrays import by_position

_DOMAINS = frozenset(
    {"Log", "Log10", "Log1p", "Log2", "Sqrt", "Rsqrt", "Power", "Arccos", "Arcsin", "Arctanh"}
)
"""Operations of ``keras.ops`` that make NaN of a normally distributed number."""

Call = Callable[[Any], Any]


_SET_BY_KERAS = ("training", "mask")
"""Arguments of a call that are no inputs."""


@dataclass(frozen=True, slots=True)
class KerasInputs:
    """What a Keras model is called with."""

    infos: tuple[TensorInfo, ...]
    composites: tuple[Composite, ...]
    pack: Callable[[Sequence[Any]], tuple[tuple[Any, ...], dict[str, Any]]]
    """Makes the arguments of the call, by position and by name, of tensors in the order of
    ``infos``."""


def keras_inputs(model: Any, names: Sequence[str]) -> KerasInputs:
    """Describe the inputs of a built model; ``names`` stand in where it has none on record.

    Raises:
        InputError: nothing is known of them.
    """
    names = by_position(names, (name for name in _parameters(model) if name not in _SET_BY_KERAS))
    try:
        symbolic = model.inputs
    except (AttributeError, ValueError):
        symbolic = None
    if symbolic:
        return _symbolic(model, symbolic)
    built = _built(model)
    if built is not None and (not names or set(names) <= {info.name for info in built.infos}):
        recorded = [info.name for info in built.infos]
        missing = [name for name in _required(model)[1:] if name not in recorded]
        if len(recorded) == 1 and missing:
            arguments = [*recorded, *missing]
            raise InputError(
                f"model {model.name!r}: is called with {', '.join(arguments)}, but only the shape "
                f"of {recorded[0]} is recorded",
                f"give each: {' '.join(f'--input {name}=float32[4,16]' for name in arguments)}",
            )
        return built
    if names:
        infos = tuple(TensorInfo(name, "float32", None) for name in names)
        if len(names) > 1 and set(_required(model)) <= set(names) <= set(_parameters(model)):
            return KerasInputs(infos, (), lambda flat: ((), dict(zip(names, flat, strict=True))))
        return KerasInputs(
            infos, (), lambda flat: ((flat[0] if len(flat) == 1 else list(flat),), {})
        )
    raise InputError(
        f"model {model.name!r}: its inputs are not recorded, so that no batch can be made",
        "give each: --input x=float32[4,16]",
    )


def asks_for_values(model: Any) -> bool:
    """Return whether it has layers that not every number is good for: then its graph is asked
    before the first step."""
    kinds = {type(operation).__name__ for operation in getattr(model, "operations", ())}
    return id_limit(model) is not None or not kinds.isdisjoint(_DOMAINS)


def id_limit(model: Any) -> int | None:
    """Row numbers below this are valid for every embedding; None where the model has none."""
    sizes = [
        layer.input_dim
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Embedding)
    ]
    return min(sizes) if sizes else None


def _symbolic(model: Any, symbolic: Sequence[Any]) -> KerasInputs:
    infos: list[TensorInfo] = []
    composites: list[Composite] = []
    packers: list[tuple[int, Callable[..., Any]]] = []
    for tensor in symbolic:
        dtype, shape = keras.backend.standardize_dtype(tensor.dtype), tuple(tensor.shape)
        parts = [TensorInfo(tensor.name, dtype, shape)]
        packer: Callable[..., Any] = _alone
        if getattr(tensor, "sparse", False):
            indices, dense = f"{tensor.name}.indices", f"{tensor.name}.dense_shape"
            parts = [
                TensorInfo(indices, "int64", (None, len(shape))),
                TensorInfo(tensor.name, dtype, (None,)),
                TensorInfo(dense, "int64", (len(shape),)),
            ]
            composites.append(SparseParts(indices, tensor.name, dense, shape, name=tensor.name))
            packer = _sparse(shape)
        elif getattr(tensor, "ragged", False):
            splits = f"{tensor.name}.row_splits"
            parts = [
                TensorInfo(tensor.name, dtype, (None, *shape[2:])),
                TensorInfo(splits, "int64", (None,)),
            ]
            composites.append(RaggedParts(tensor.name, (splits,), name=tensor.name))
            packer = tf.RaggedTensor.from_row_splits
        infos += parts
        packers.append((len(parts), packer))
    structure = getattr(model, "_inputs_struct", None)

    def pack(flat: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        rest = iter(flat)
        packed = [packer(*(next(rest) for _ in range(count))) for count, packer in packers]
        if structure is not None:
            return (keras.tree.pack_sequence_as(structure, packed),), {}
        return (packed[0] if len(packed) == 1 else packed,), {}

    return KerasInputs(tuple(infos), tuple(composites), pack)


def _alone(tensor: Any) -> Any:
    return tensor


def _sparse(shape: tuple[int | None, ...]) -> Callable[..., Any]:
    def pack(indices: Any, values: Any, dense_shape: Any) -> Any:
        tensor = tf.SparseTensor(indices, values, dense_shape)
        # Layers build their weights by the static shape, which a tensor that is fed does not say.
        tensor.set_shape(shape)
        return tensor

    return pack


def _built(model: Any) -> KerasInputs | None:
    """A subclassed model remembers the shapes that it was built with, and its file holds them."""
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        return None
    structure = dict(shapes)
    if list(structure) == ["input_shape"]:
        structure = {next(iter(_parameters(model)), "input"): structure["input_shape"]}
    flat = _leaves(structure)
    if not flat:
        return None
    infos = tuple(TensorInfo(_name(path), "float32", (None, *shape[1:])) for path, shape in flat)

    def pack(tensors: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        rest = iter(tensors)
        packed = {name: _filled(shape, rest) for name, shape in structure.items()}
        if len(packed) == 1:
            return tuple(packed.values()), {}
        return (), {name.removesuffix("_shape"): value for name, value in packed.items()}

    return KerasInputs(infos, (), pack)


def _parameters(model: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(model.call).parameters


def _required(model: Any) -> list[str]:
    """Return the arguments that the model's ``call`` cannot do without."""
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )
    return [
        name
        for name, parameter in _parameters(model).items()
        if parameter.default is parameter.empty
        and parameter.kind in kinds
        and name not in _SET_BY_KERAS
    ]


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(
        size is None or isinstance(size, int) for size in value
    )


def _leaves(
    value: Any, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], tuple[int | None, ...]]]:
    if _is_shape(value):
        return [(path, tuple(value))] if value else []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, tuple | list)
        else ()
    )
    return [leaf for key, inner in items for leaf in _leaves(inner, (*path, str(key)))]


def _filled(value: Any, rest: Any) -> Any:
    if _is_shape(value):
        return next(rest) if value else None
    if isinstance(value, dict):
        return {key: _filled(inner, rest) for key, inner in value.items()}
    return [_filled(inner, rest) for inner in value] if isinstance(value, tuple | list) else None


def _name(path: tuple[str, ...]) -> str:
    return "_".join((path[0].removesuffix("_shape"), *path[1:]))

"""Read how the layers of a Keras model call each other, from the model's configuration.

A Functional model lists for each layer the calls of it. Keras 3 writes a call as its arguments,
``{"args": [...], "kwargs": {...}}``, in which each tensor of another call is a
``__keras_tensor__``. Keras 1 and 2 write the first argument alone, in which a tensor is ``[layer,
call, output, keyword arguments]``. A Sequential calls each of its layers on what the one before
returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from gradflow.errors import SAVE_AGAIN, DamagedError
from gradflow.files.keras.config import LayerConfig
from gradflow.lazy_dataclass import dataclass
from gradflow.text import quoted

INPUT_LAYER = "InputLayer"
_ONE_AFTER_THE_OTHER = ("Sequential", "Pipeline")
_CONSTANT = "_CONSTANT_VALUE"
_TENSOR = "__keras_tensor__"
_MAX_DEPTH = 60
_T = TypeVar("_T")
_MERGE = "Merge"
"""A Sequential of Keras 1 that begins with one calls the layers in it, each on an input of its
own."""


@dataclass(frozen=True, slots=True)
class TensorOf:
    """What one call of a layer returns, as an argument of another call in the same model."""

    layer: LayerConfig
    """The model itself for what it is called with, where no layer stands for that."""
    call: int
    output: int | None
    """Among all tensors that the call returns; None for all of them, as they are returned."""
    dtype: str | None = None
    """As the file has it; None where it does not say."""


@dataclass(frozen=True, slots=True)
class LayerCall:
    """One call of a layer. Arguments are JSON values with ``TensorOf`` in place of tensors."""

    layer: LayerConfig
    number: int
    args: tuple[object, ...]
    kwargs: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """The calls inside a model."""

    inputs: object
    """What the model is called with, in its structure of lists and dicts."""
    outputs: object
    """What it returns, in its structure."""
    calls: tuple[LayerCall, ...]
    """Each after those that it takes tensors from."""


def read_calls(model: LayerConfig) -> ModelCalls | None:
    """Return the calls inside a model; None where its configuration does not tell.

    Raises:
        DamagedError: the calls refer to something that is not there, or to each other in a circle.
    """
    if model.class_name in _ONE_AFTER_THE_OTHER:
        return _sequential(model)
    keys = ("layers", "input_layers", "output_layers")
    if not all(isinstance(model.options.get(key), (list, dict)) for key in keys):
        return None
    return _Functional(model).read()


def instances_in(
    value: object, kind: type[_T], path: tuple[int | str, ...] = ()
) -> Iterator[tuple[tuple[int | str, ...], _T]]:
    """Yield each object of a class in a structure with its path, dicts in the order of their keys,
    as Keras flattens them."""
    if isinstance(value, kind):
        yield path, value
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from instances_in(value[key], kind, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from instances_in(item, kind, (*path, index))


def tensors_in(value: object) -> Iterator[tuple[tuple[int | str, ...], TensorOf]]:
    """Yield each ``TensorOf`` in a structure with its path."""
    return instances_in(value, TensorOf)


def _sequential(model: LayerConfig) -> ModelCalls | None:
    layers = list(model.parts.get("layers", ()))
    start: object = TensorOf(model, 0, 0)
    calls: list[LayerCall] = []
    if layers and layers[0].class_name == INPUT_LAYER:
        start = TensorOf(layers.pop(0), 0, 0)
    elif layers and _merged(layers[0]):
        start = _starts(layers[0])
        branches = zip(_merged(layers[0]), start, strict=True)
        calls = [LayerCall(branch, 0, (taken,), {}) for branch, taken in branches]
        merged = [TensorOf(branch, 0, None) for branch in _merged(layers[0])]
        calls.append(LayerCall(layers[0], 0, (merged,), {}))
        layers = layers[1:]
    last = TensorOf(calls[-1].layer, 0, None) if calls else start
    for layer in layers:
        calls.append(LayerCall(layer, 0, (last,), {}))
        last = TensorOf(layer, 0, None)
    return ModelCalls(start, last, tuple(calls))


def _merged(layer: LayerConfig) -> Sequence[LayerConfig]:
    return layer.parts.get("layers", ()) if layer.class_name == _MERGE else ()


def _starts(merge: LayerConfig) -> list[object]:
    """Return an input for each layer that a Merge of Keras 1 holds; a list for one that begins with
    a Merge itself."""
    starts: list[object] = []
    for branch in _merged(merge):
        inside = branch.parts.get("layers", ()) if branch.class_name == "Sequential" else ()
        if inside and _merged(inside[0]):
            starts.append(_starts(inside[0]))
            continue
        entry = LayerConfig(
            name=f"{branch.name}_input",
            class_name=INPUT_LAYER,
            trainable=True,
            built=False,
            options=inside[0].options if inside else branch.options,
            parent=merge,
        )
        starts.append(TensorOf(entry, 0, 0))
    return starts


class _Functional:
    """Reads the calls of one model."""

    def __init__(self, model: LayerConfig) -> None:
        self._model = model
        self._layers: dict[str, LayerConfig] = {}
        for layer in model.parts.get("layers", ()):
            name = layer.described.get("name")
            self._layers[name if isinstance(name, str) else layer.name] = layer
        self._nodes = {layer: _nodes(layer) for layer in self._layers.values()}
        self._is_legacy = not any(
            isinstance(node, Mapping) and "args" in node
            for nodes in self._nodes.values()
            for node in nodes
        )
        self._first: dict[LayerConfig, int] = {}

    def read(self) -> ModelCalls:
        outputs = self._model.options["output_layers"]
        if self._is_legacy:
            self._count_from_the_first(outputs)
        calls = {
            (layer, number): self._call(layer, number, node)
            for layer, nodes in self._nodes.items()
            for number, node in enumerate(nodes)
        }
        return ModelCalls(
            self._structure(self._model.options["input_layers"]),
            self._structure(outputs),
            tuple(self._in_order(calls)),
        )

    def _count_from_the_first(self, outputs: object) -> None:
        """Find the number of each layer's first call.

        Keras 1 and 2 count a call that is not in the file for a model which has inputs of its own
        (``_should_skip_first_node`` of tf_keras 2.21). Each call is referred to: without that it
        would not be in the file.
        """
        values: list[object] = [
            outputs,
            *(node for nodes in self._nodes.values() for node in nodes),
        ]
        while values:
            value = values.pop()
            reference = self._reference(value)
            if reference is not None:
                layer, number, _ = reference
                self._first[layer] = min(number, self._first.get(layer, number))
                values += value[3:] if isinstance(value, list) else ()
            elif isinstance(value, list):
                values += value
            elif isinstance(value, Mapping):
                values += value.values()

    def _reference(self, value: object) -> tuple[LayerConfig, int, int] | None:
        """Return the layer, the call and the output that ``[layer, call, output, ...]`` names."""
        if not isinstance(value, list) or len(value) not in (3, 4):
            return None
        name, number, output = value[:3]
        if not isinstance(name, str) or type(number) is not int or type(output) is not int:
            return None
        layer = self._layers.get(name)
        return None if layer is None else (layer, number, output)

    def _call(self, layer: LayerConfig, number: int, node: object) -> LayerCall:
        if isinstance(node, Mapping) and "args" in node:
            args, kwargs = self._argument(node["args"]), self._argument(node.get("kwargs") or {})
            named = kwargs if isinstance(kwargs, Mapping) else {}
            # Keras 3 calls each layer with the mode of the model, whatever stands here: of a layer
            # for augmentation, its default (models/functional.py, 3.3 to 3.15).
            named = {name: value for name, value in named.items() if name != "training"}
            return LayerCall(
                layer, number, tuple(args) if isinstance(args, list) else (args,), named
            )
        keywords: dict[str, object] = {}
        value = self._legacy(node, keywords)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        return LayerCall(layer, number, (value,), keywords)

    def _argument(self, value: object, depth: int = 0) -> object:
        """Read an argument of a call as Keras 3 writes it."""
        self._refuse_depth(depth)
        if isinstance(value, list):
            return [self._argument(item, depth + 1) for item in value]
        if not isinstance(value, Mapping):
            return value
        if value.get("class_name") == _TENSOR:
            config = value.get("config")
            history = config.get("keras_history") if isinstance(config, Mapping) else None
            dtype = config.get("dtype") if isinstance(config, Mapping) else None
            return self._tensor(history, dtype if isinstance(dtype, str) else None)
        if isinstance(value.get("class_name"), str) and "config" in value:
            return value
        return {key: self._argument(item, depth + 1) for key, item in value.items()}

    def _legacy(self, value: object, keywords: dict[str, object], depth: int = 0) -> object:
        """Read the first argument of a call as Keras 1 and 2 write it; ``keywords`` gets the
        others."""
        self._refuse_depth(depth)
        if isinstance(value, Mapping):
            return {key: self._legacy(item, keywords, depth + 1) for key, item in value.items()}
        if not isinstance(value, list):
            return value
        if len(value) in (3, 4) and isinstance(value[0], str):
            further = value[3] if len(value) == 4 else {}
            if isinstance(further, Mapping):
                keywords.update(
                    {key: self._keyword(item, depth + 1) for key, item in further.items()}
                )
            return value[2] if value[0] == _CONSTANT else self._tensor(value[:3])
        return [self._legacy(item, keywords, depth + 1) for item in value]

    def _keyword(self, value: object, depth: int) -> object:
        """Read a keyword argument as Keras 2 writes it."""
        self._refuse_depth(depth)
        if self._reference(value) is not None:
            return self._tensor(value)
        if isinstance(value, Mapping):
            return {key: self._keyword(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self._keyword(item, depth + 1) for item in value]
        return value

    def _structure(self, value: object, depth: int = 0) -> object:
        """Read what a model is called with, or what it returns."""
        self._refuse_depth(depth)
        if isinstance(value, Mapping):
            return {key: self._structure(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list) and value and not isinstance(value[0], str):
            return [self._structure(item, depth + 1) for item in value]
        if not value:
            return []
        return self._tensor(value, is_end=True)

    def _tensor(self, value: object, dtype: str | None = None, *, is_end: bool = False) -> TensorOf:
        """Return the tensor that ``[layer, call, output]`` names.

        Where Keras 3 says what a model returns, it counts a call more for a model inside that is
        Functional; in the arguments of a call it does not (3.0 to 3.15, models/functional.py).
        """
        reference = self._reference(value)
        if reference is None:
            raise DamagedError(
                f"a call in the model {quoted(self._model.name)} takes a tensor of a layer that is"
                f" not there: {quoted(str(value)[:80])}",
                SAVE_AGAIN,
            )
        layer, number, output = reference
        count = len(self._nodes[layer])
        if layer.class_name == INPUT_LAYER:
            return TensorOf(layer, 0, max(output, 0), dtype or _input_dtype(layer))
        if self._is_legacy:
            number -= self._first.get(layer, 0)
        elif is_end and layer.class_name == "Functional":
            number -= 1
        if not 0 <= number < count or output < 0:
            raise DamagedError(
                f"a call in the model {quoted(self._model.name)} takes output {output} of call "
                f"{number} of the layer {quoted(layer.name)}, which is called {count} times",
                SAVE_AGAIN,
            )
        return TensorOf(layer, number, output, dtype)

    def _refuse_depth(self, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise DamagedError(
                f"a call in the model {quoted(self._model.name)} has arguments that are nested more"
                f" than {_MAX_DEPTH} deep",
                SAVE_AGAIN,
            )

    def _in_order(self, calls: Mapping[tuple[LayerConfig, int], LayerCall]) -> Iterator[LayerCall]:
        """Yield each call after those that it takes tensors from."""
        readers: dict[tuple[LayerConfig, int], list[tuple[LayerConfig, int]]] = {}
        waiting: dict[tuple[LayerConfig, int], int] = {}
        for key, call in calls.items():
            sources = {
                (tensor.layer, tensor.call)
                for _, tensor in tensors_in((*call.args, call.kwargs))
                if (tensor.layer, tensor.call) in calls
            }
            waiting[key] = len(sources)
            for source in sources:
                readers.setdefault(source, []).append(key)
        ready = [key for key in reversed(list(calls)) if not waiting[key]]
        count = 0
        while ready:
            key = ready.pop()
            count += 1
            yield calls[key]
            for reader in readers.get(key, ()):
                waiting[reader] -= 1
                if not waiting[reader]:
                    ready.append(reader)
        if count < len(calls):
            layer = next(layer for (layer, _), missing in waiting.items() if missing)
            raise DamagedError(
                f"in the model {quoted(self._model.name)}, the layer {quoted(layer.name)} takes "
                "what comes from itself",
                SAVE_AGAIN,
            )


def _nodes(layer: LayerConfig) -> Sequence[object]:
    nodes = layer.described.get("inbound_nodes")
    return nodes if isinstance(nodes, list) else ()


def _input_dtype(layer: LayerConfig) -> str | None:
    dtype = layer.options.get("dtype")
    return dtype if isinstance(dtype, str) else None

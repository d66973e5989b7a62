"""Read what the layers of a configuration are called with, and what they give, as tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from gradflow.files.dtypes import FLOATING_NAMES
from gradflow.files.keras.calls import ModelCalls, TensorOf, instances_in, tensors_in
from gradflow.files.keras.config import LayerConfig
from gradflow.flow.lower.layout import Tensor
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.layer_rows import ArgumentPath, Call, Output


@dataclass(slots=True)
class Result:
    """What a call of a layer returns: the tensors in their structure."""

    structure: object

    def output(self, number: int | None) -> object:
        """Return the tensor with that number, the last one where there are fewer; all of them for
        None."""
        if number is None:
            return self.structure
        flat = list(tensors_of(self.structure))
        return flat[number][1] if number < len(flat) else flat[-1][1] if flat else None


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a layer is called with."""

    call: Call
    """Where tensors stand, for the layer table."""
    tensors: Sequence[Tensor]
    """The same ones in that order."""


def arguments_of(args: tuple[object, ...], kwargs: Mapping[str, object]) -> Arguments:
    """Read the arguments of a call; dicts in the order of their keys."""
    paths: list[ArgumentPath] = []
    tensors: list[Tensor] = []
    values: dict[int | str, object] = {}
    named: list[tuple[int | str, object]] = [*enumerate(args), *kwargs.items()]
    for key, value in named:
        inside = list(tensors_of(value, (key,)))
        paths += [path for path, _ in inside]
        tensors += [tensor for _, tensor in inside]
        if not inside:
            values[key] = value
    floating = tuple(tensor.floating for tensor in tensors)
    return Arguments(Call(tuple(paths), values, floating), tensors)


def tensors_of(value: object, path: ArgumentPath = ()) -> Iterator[tuple[ArgumentPath, Tensor]]:
    """Yield each tensor in a structure with its path, dicts in the order of their keys."""
    return instances_in(value, Tensor, path)


def resolved(
    value: object,
    values: Mapping[tuple[LayerConfig, int], Result],
    missing: Callable[[TensorOf], object],
) -> object:
    """Return a structure with the tensors themselves in place of what names them; those of
    ``missing`` where they are in no ``values``."""
    if isinstance(value, TensorOf):
        result = values.get((value.layer, value.call))
        tensors = None if result is None else result.output(value.output)
        return missing(value) if tensors is None else tensors
    if isinstance(value, Mapping):
        return {key: resolved(item, values, missing) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolved(item, values, missing) for item in value]
    return value


def outputs_used(calls: ModelCalls) -> Mapping[tuple[LayerConfig, int], dict[int, str | None]]:
    """Return which outputs of each call are read, with their dtypes where the file has them."""
    used: dict[tuple[LayerConfig, int], dict[int, str | None]] = {}
    structures = [calls.outputs, *((*call.args, call.kwargs) for call in calls.calls)]
    for structure in structures:
        for _, tensor in tensors_in(structure):
            outputs = used.setdefault((tensor.layer, tensor.call), {})
            number = tensor.output or 0
            outputs[number] = outputs.get(number) or tensor.dtype
    return used


def inputs_fed(inputs: object, argument: object) -> Mapping[LayerConfig, Tensor] | None:
    """Return what each input of a model is called with; None where that cannot be told."""
    wanted = list(tensors_in(inputs))
    if isinstance(argument, Mapping) and not isinstance(inputs, Mapping):
        argument = [argument.get(tensor.layer.name) for _, tensor in wanted]
    elif isinstance(argument, Mapping) and isinstance(inputs, Mapping):
        argument = {key: argument.get(key) for key in inputs}
    flat = [tensor for _, tensor in tensors_of(argument)]
    if len(flat) != len(wanted):
        return None
    return {ref.layer: tensor for (_, ref), tensor in zip(wanted, flat, strict=True)}


def result_is_floating(kind: Output, layer: LayerConfig, tensors: Sequence[Tensor]) -> bool:
    """Return whether an output of a call is floating, where the file does not say its dtype."""
    if kind is Output.LIKE:
        return not tensors or any(tensor.floating for tensor in tensors)
    if kind is Output.DTYPE:
        dtype = compute_dtype(layer)
        return dtype is None or is_floating_name(dtype)
    return kind is Output.FLOAT


def compute_dtype(layer: LayerConfig) -> str | None:
    """Return the dtype that a layer computes in; None where its configuration does not say."""
    policy = layer.options.get("dtype")
    if isinstance(policy, Mapping):
        config = policy.get("config")
        policy = config.get("name") if isinstance(config, Mapping) else None
    if not isinstance(policy, str):
        return None
    return policy.removeprefix("mixed_")


def is_floating_name(dtype: str) -> bool:
    """Return whether a dtype is a floating one, by its name."""
    return dtype in FLOATING_NAMES


def numbered(name: str, number: int) -> str:
    """Return the name of an output of a call, as TensorFlow has it: ``split``, ``split:1``."""
    return name if number == 0 else f"{name}:{number}"

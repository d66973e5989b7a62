"""Build the layers of Keras in the configurations that may matter, and measure each."""

from __future__ import annotations

import inspect
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from gradflow.ops.config_values import text_of
from gradflow.tables import function_recipes, layer_probe, layer_recipes, operation_recipes
from gradflow.tables.layer_probe import DisagreementError, Measured, measure
from gradflow.tables.layer_recipes import Recipe, general_call

_NO_ACTIVATIONS = ("get", "serialize", "deserialize", "threshold")
_RANDOM = 3
"""Random configurations of each class, beside those that vary one key or a few."""
_MADE = re.compile(r"^seed_generator|_cell(_\d+)?$|_\d+$")
"""Names that Keras makes up, with a number where there are several."""
_FUNCTIONS = ("activation", "recurrent_activation")


@dataclass(frozen=True, slots=True)
class Trial:
    """One measured call of one configuration."""

    key: str
    config: Mapping[str, Any]
    """The configuration as a file holds it."""
    facts: Mapping[str, str]
    """What else was chosen: ``@training``, ``call.NAME``."""
    arguments: tuple[str, ...]
    """Names of the arguments of the call, in their order."""
    defaults: Mapping[str, str]
    """What an argument of the constructor or of the call is, where a file does not say."""
    kinds: Mapping[str, str]
    """``float``, ``int``, ``bool`` or ``text`` for each tensor."""
    measured: Measured | None
    """None where the walk and the tape do not say the same."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A configuration that could not be built or called, or on which walk and tape disagree."""

    key: str
    config: Mapping[str, Any]
    reason: str


def recipe_of(layer_class: Any) -> Recipe:
    """Return how to build and call a class of layers or of operations."""
    name, arguments = layer_class.__name__, arguments_of(layer_class)
    recipes = layer_recipes if is_layer(layer_class) else operation_recipes
    recipe = recipes.RECIPES.get(name)
    if recipe is None and is_layer(layer_class):
        recipe = Recipe(general_call(name, arguments[0]))
    elif recipe is None:
        recipe = Recipe(list(operation_recipes.general_calls(arguments)))
    own = _keys(layer_class)
    base = {
        key: value for key, value in recipes.BASE.items() if key in own and _is_needed(key, own)
    }
    vary = {key: values for key, values in recipes.VARY.items() if key in own}
    return Recipe(
        recipe.calls,
        {**base, **recipe.base},
        {**vary, **recipe.vary},
        recipe.together,
    )


def is_layer(layer_class: Any) -> bool:
    """Return whether a class is one of layers, and not of operations."""
    return issubclass(layer_class, keras.Layer) or is_of_keras_2(layer_class)


def is_of_keras_2(layer_class: Any) -> bool:
    """Return whether a class is one of tf_keras."""
    return str(layer_class.__module__).startswith("tf_keras.")


def key_of(layer_class: Any) -> str:
    """Return the class as the layer table writes it."""
    is_operation = ".ops." in layer_class.__module__
    return f"ops.{layer_class.__name__}" if is_operation else str(layer_class.__name__)


def _is_needed(key: str, own: Mapping[str, Any]) -> bool:
    return own[key] is inspect.Parameter.empty or key in _FUNCTIONS


def _keys(layer_class: Any) -> Mapping[str, Any]:
    """Return the arguments of the constructor and their defaults."""
    parameters = inspect.signature(layer_class.__init__).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.kind in named and parameter.name != "self"
    }


def arguments_of(layer_class: Any) -> tuple[str, ...]:
    """Return the names of the arguments that a class is called with."""
    parameters = inspect.signature(layer_class.call).parameters.values()
    return tuple(
        parameter.name
        for parameter in parameters
        if parameter.name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    )


def configurations(recipe: Recipe, number: int) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Yield arguments for the constructor: the base, each key varied, some together, some at
    random; and whether every way to call it is to be tried."""
    seen = set()
    vary = {key: list(values) for key, values in recipe.vary.items() if values}

    def fresh(config: Mapping[str, Any]) -> bool:
        text = repr(sorted(config.items(), key=lambda item: item[0]))
        is_new = text not in seen
        seen.add(text)
        return is_new

    for config, is_whole in _wanted(recipe, vary, number):
        if fresh(config):
            yield config, is_whole


def _wanted(
    recipe: Recipe, vary: Mapping[str, Sequence[Any]], number: int
) -> Iterator[tuple[Mapping[str, Any], bool]]:
    yield recipe.base, True
    for keys in recipe.together:
        known = [key for key in keys if key in vary]
        for values in itertools.product(*(vary[key] for key in known)):
            yield {**recipe.base, **dict(zip(known, values, strict=True))}, True
    for key, choices in vary.items():
        for value in choices:
            yield {**recipe.base, key: value}, False
    draw = random.Random(0)
    for _ in range(number):
        chosen = {key: draw.choice(values) for key, values in vary.items() if draw.random() < 0.6}
        yield {**recipe.base, **chosen}, False


def trials(layer_class: Any, number: int = _RANDOM) -> Iterator[Trial | Failure]:
    """Measure a class of layers in every configuration of its recipe."""
    recipe = recipe_of(layer_class)
    for index, (arguments, is_whole) in enumerate(configurations(recipe, number)):
        if is_whole:
            for call in recipe.calls:
                yield from trials_of(layer_class, arguments, call)
            continue
        start = index % len(recipe.calls)
        for call in [*recipe.calls[start:], *recipe.calls[:start]]:
            answers = list(trials_of(layer_class, arguments, call))
            if any(isinstance(answer, Trial) for answer in answers):
                break
        yield from answers
    for policy in () if not is_layer(layer_class) else ("mixed_float16", "bfloat16", "float64"):
        yield from trials_of(layer_class, {**recipe.base, "dtype": policy}, recipe.calls[0])
    yield from _altered(layer_class, recipe)


_QUANTIZED: Mapping[str, Sequence[str]] = {
    "Dense": ("int8", "int4", "float8"),
    "EinsumDense": ("int8", "int4", "float8"),
    "Embedding": ("int8", "int4"),
    "ReversibleEmbedding": ("int8", "int4"),
}
"""How classes can be quantized; they also have LoRA adapters."""


def _altered(layer_class: Any, recipe: Recipe) -> Iterator[Trial | Failure]:
    """Measure what ``quantize`` and ``enable_lora`` make of a layer."""
    modes = _QUANTIZED.get(layer_class.__name__, ())

    def quantized(mode: str) -> Callable[[Any], None]:
        return lambda layer: layer.quantize(mode)

    def adapted(layer: Any) -> None:
        layer.enable_lora(2)

    def both(mode: str) -> Callable[[Any], None]:
        def prepare(layer: Any) -> None:
            layer.quantize(mode)
            layer.enable_lora(2)

        return prepare

    changes = [quantized(mode) for mode in modes] + [
        both(mode) for mode in modes if mode != "float8"
    ]
    for change in [*changes, *([adapted] if modes else [])]:
        for call in recipe.calls:
            yield from trials_of(layer_class, recipe.base, call, change)


def activation_trials() -> Iterator[Trial | Failure]:
    """Measure the functions that a layer can be given by name."""
    functions = {
        name: function
        for name, function in {**vars(tf_keras.activations), **vars(keras.activations)}.items()
        if inspect.isfunction(function) and name not in _NO_ACTIVATIONS
    }
    for name, function in sorted(functions.items()):
        tensors = {"x": tf.constant(layer_recipes.floats(4, 4))}
        measured = measure(partial(_applied, function, tensors), tensors, {})
        for training in ("true", "false"):
            yield Trial(
                key=f"activations.{name}",
                config={},
                facts={"@training": training},
                arguments=("x",),
                defaults={},
                kinds={"x": "float"},
                measured=measured,
            )


def function_trials(name: str, function: Callable[..., Any]) -> Iterator[Trial]:
    """Measure a function of TensorFlow, in every way to call it that it takes."""
    parameters = inspect.signature(function).parameters.values()
    ordered = tuple(parameter.name for parameter in parameters)
    for call in function_recipes.calls(name, function):
        tensors, values = split_call(call)
        try:
            measured = measure(partial(_applied, function, call), tensors, {})
        except DisagreementError:
            raise
        except Exception as error:  # of TensorFlow, of any kind: the function does not take this
            del error
            continue
        for training in ("true", "false"):
            yield Trial(
                key=f"tf.{name}",
                config={},
                facts={
                    **{f"call.{key}": text_of(value) for key, value in values.items()},
                    "@training": training,
                },
                arguments=ordered,
                defaults={
                    f"call.{parameter.name}": text_of(parameter.default)
                    for parameter in parameters
                    if isinstance(parameter.default, (bool, int, str, type(None)))
                },
                kinds={key: kind_of(tensor) for key, tensor in tensors.items()},
                measured=measured,
            )


def _applied(function: Callable[..., Any], call: Mapping[str, Any], tensors: Any) -> Any:
    return function(**gathered(call, tensors))


def trials_of(
    layer_class: Any,
    arguments: Mapping[str, Any],
    call: Mapping[str, Any],
    prepare: Any = None,
) -> Iterator[Trial | Failure]:
    """Measure one configuration, called in one way, in training and out of it."""
    name = key_of(layer_class)
    try:
        layer = layer_class(**arguments)
        tensors, values = split_call(call)
        _build(layer, call, tensors)
        if prepare is not None:
            prepare(layer)
        config = json.loads(json.dumps(serialized(layer), default=str))
    except Exception as error:  # of Keras, of any kind: this configuration does not exist
        yield Failure(name, arguments, f"{type(error).__name__}: {error}".partition("\n")[0][:300])
        return
    weights = weights_of(layer)
    takes_training = "training" in inspect.signature(layer.call).parameters
    modes = (True, False) if takes_training else (None,)
    for training in modes:
        more: dict[str, Any] = {} if training is None else {"training": training}
        measured: Measured | None = None
        try:
            ways = partial(called, layer, call, **more)
            measured = measure(ways, tensors, weights, layer_class.__name__)
        except DisagreementError as error:
            yield Failure(name, {**arguments, **more}, f"the walk and the tape disagree: {error}")
        except Exception as error:  # as above
            yield Failure(name, {**arguments, **more}, f"{type(error).__name__}: {error}")
            continue
        facts = {f"call.{key}": text_of(value) for key, value in values.items()}
        for key, default in call_defaults(layer_class).items():
            facts.setdefault(f"call.{key}", text_of(default))
        for mode in (True, False) if training is None else (training,):
            yield Trial(
                key=name,
                config=config,
                facts={**facts, "@training": text_of(mode)},
                arguments=arguments_of(layer_class),
                defaults=defaults_of(layer_class),
                kinds={key: kind_of(tensor) for key, tensor in tensors.items()},
                measured=measured,
            )


def _build(layer: Any, call: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    try:
        called(layer, call, tensors)
    except tf.errors.OpError:  # this machine cannot run it: channels_first, say
        symbolic = {
            key: keras.KerasTensor(tensor.shape, tensor.dtype.name)
            for key, tensor in tensors.items()
        }
        called(layer, call, symbolic)


def call_defaults(layer_class: Any) -> Mapping[str, Any]:
    """Return the arguments of the call that are switches, with their defaults."""
    return {
        parameter.name: parameter.default
        for parameter in inspect.signature(layer_class.call).parameters.values()
        if isinstance(parameter.default, bool) and parameter.name != "training"
    }


def defaults_of(layer_class: Any) -> Mapping[str, str]:
    """Return what is meant where a file does not say."""
    defaults = {
        key: text_of(value)
        for key, value in _keys(layer_class).items()
        if value is not inspect.Parameter.empty
    }
    calls = {f"call.{key}": text_of(value) for key, value in call_defaults(layer_class).items()}
    return {**defaults, **calls}


def serialized(layer: Any) -> Mapping[str, Any]:
    """Return a layer's configuration, with what stands for a function of one's own marked."""
    if is_of_keras_2(type(layer)):
        config: Mapping[str, Any] = layer.get_config()
    else:
        config = keras.saving.serialize_keras_object(layer)["config"]
    own = (layer_probe.activation.__name__, layer_probe.recurrent_activation.__name__)
    return {
        key: f"@{key}" if key in _FUNCTIONS and (isinstance(value, dict) or value in own) else value
        for key, value in config.items()
    }


def weights_of(layer: Any) -> Mapping[str, Any]:
    """Return the TensorFlow variables of a layer by ``$`` and their path in it."""
    weights = {}
    for variable in getattr(layer, "variables", ()):
        if isinstance(variable, tf.Variable):
            path, value = variable.name.partition(":")[0], variable
        else:
            path, value = variable.path or variable.name, variable.value
        prefix = f"{getattr(layer, 'path', None) or layer.name}/"
        *scopes, name = path.removeprefix(prefix).split("/")
        scopes = ["*" if _MADE.search(scope) else scope for scope in scopes]
        # A file has a number for a weight without a name.
        name = "*" if re.fullmatch(r"variable(_\d+)?", name) else name
        weights[f"${'/'.join([*scopes, name])}"] = value
    return weights


def split_call(call: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors of a call by their names in the layer table, and the other arguments."""
    tensors: dict[str, Any] = {}
    values: dict[str, Any] = {}

    def add(name: str, value: Any) -> bool:
        if isinstance(value, np.ndarray):
            tensors[name] = tf.constant(value)
            return True
        if isinstance(value, (list, tuple)):
            items = [add(f"{name}.{index}", item) for index, item in enumerate(value)]
            return any(items)
        if isinstance(value, dict):
            items = [add(f"{name}.{key}", item) for key, item in value.items()]
            return any(items)
        return False

    for name, value in call.items():
        if not add(name, value):
            values[name] = value
    return tensors, values


def called(layer: Any, call: Mapping[str, Any], tensors: Mapping[str, Any], **more: Any) -> Any:
    """Call a layer; its first argument has another name in the ``__call__`` of some layers."""
    (name, first), *rest = gathered(call, tensors).items()
    if name.endswith(".0"):
        return layer(first, *(value for _, value in rest), **more)
    return layer(first, **dict(rest), **more)


def gathered(call: Mapping[str, Any], tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Put tensors in the place of those of a call."""

    def put(name: str, value: Any) -> Any:
        if name in tensors:
            return tensors[name]
        if isinstance(value, (list, tuple)):
            return [put(f"{name}.{index}", item) for index, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: put(f"{name}.{key}", item) for key, item in value.items()}
        return value

    return {name: put(name, value) for name, value in call.items()}


def kind_of(tensor: Any) -> str:
    """Return what a tensor holds, in a word of the layer table."""
    dtype = tensor.dtype
    if dtype.is_floating or dtype.is_complex:
        return "float" if dtype.is_floating else "complex"
    return "bool" if dtype.is_bool else "int" if dtype.is_integer else "text"

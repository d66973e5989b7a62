"""Look up how gradient passes through one call of a Keras layer or operation, in the layer table.

``layer_table.tsv`` has rows for the layers of Keras, the operations of ``keras.ops`` and the
TensorFlow functions that Keras 2 records. The first row of a class whose conditions hold counts.
What no row says is unknown: a class without a row, an argument or a weight that a row does not
list. A layer that holds other layers (TimeDistributed, Bidirectional, RNN, a model) has no row:
``flow.lower.layers`` puts it together from what it holds.

The columns of a row:

``class``
    ``Dense`` for a layer, ``ops.Matmul`` for a class of ``keras.ops``, ``tf.math.add`` for a
    TensorFlow function.
``when``
    Conditions with a space between them, all of which must hold: ``use_scale=true``,
    ``data_format!=null|channels_last``. On the left stands a key of the configuration (``a.b``
    for a key inside of one), ``call.NAME`` for an argument of the call that is no tensor, or one of
    the words of ``Facts``: ``@training``, ``@tensors``, ``@given.NAME``, ``@quantized``. Values are
    JSON, text without quotation marks; what is absent is ``null``.
``arguments``
    The names of the positional arguments of the call, in their order.
``functions``
    Keys of the configuration whose value is a function (an activation) that everything goes
    through at the end. One that is not Keras's own makes what goes through it unknown.
``outputs``
    A word for each output: ``float``, ``int`` (integers, booleans or text), ``dtype`` (as the
    configuration says), ``like`` (floating if one of the tensors is). ``*`` after the last one: any
    number more of them.
``passages``
    ``SOURCE>OUTPUT:STEP,STEP`` with a space between them. SOURCE is an argument (``inputs``: all
    tensors in it; ``inputs.0``: what its first item holds), or ``$`` and the path of a weight in
    the layer, where ``*`` stands for any one name and ``**`` for any path (``$kernel``,
    ``$*/kernel``). OUTPUT is a number, or ``*`` for all; ``SOURCE>-``: no way leads to any output.
    Without a STEP gradient flows. A STEP is ``KIND/OP``, in the order of the data, with the kinds
    of ``Kind`` and the type of the TensorFlow op: ``discrete/ArgMax``, ``cut/StopGradient``. Steps
    of one call with the same text before the same output are one place; ``cut/Round#2`` is another
    one than ``cut/Round``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

PATH = Path(__file__).with_name("layer_table.tsv")
COLUMNS = "class when arguments functions outputs passages".split()

ArgumentPath = tuple[int | str, ...]
"""Where a tensor stands among the arguments of a call: ``(0,)``, ``("mask",)``, ``(0, 1)`` for the
second of a list that is the first argument."""
_ALL = "*"
_ABSENT = "null"


class Kind(str, Enum):
    """What a step does with the gradient that goes backwards over it."""

    CUT = "cut"
    """Passes none."""
    ZERO = "zero"
    """Passes one that is always zero."""
    DISCRETE = "discrete"
    """Its result is an integer, a boolean or text."""
    SHAPE = "shape"
    """Takes nothing but the shape."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Pass:
    """One op on the way through a layer that does not simply pass gradient."""

    kind: Kind
    op_type: str
    label: str = ""
    """Tells two ops of one type apart."""


@dataclass(frozen=True, slots=True)
class Passage:
    """How gradient comes from an output to an argument or a weight."""

    source: int | str
    """The number of the tensor in ``Call.tensors``, or a pattern of weights' paths in the layer."""
    output: int | None
    """None for all outputs."""
    steps: tuple[Pass, ...] = ()
    """In the order of the data, from the source to the output."""


class Output(str, Enum):
    """Whether an output is floating."""

    FLOAT = "float"
    INT = "int"
    DTYPE = "dtype"
    LIKE = "like"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How gradient passes through one call of a layer."""

    outputs: tuple[Output, ...]
    has_more: bool
    """Whether there can be more outputs, each as the last one."""
    passages: tuple[Passage, ...]
    """What is in none of them is unknown, but for ``apart``."""
    apart: tuple[int | str, ...] = ()
    """Tensors, and patterns of weights, from which no way leads to any output."""

    def output(self, number: int) -> Output | None:
        """Return what output ``number`` is; None where there is none."""
        if number < len(self.outputs):
            return self.outputs[number]
        return self.outputs[-1] if self.has_more and self.outputs else None


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one call of a layer."""

    tensors: tuple[ArgumentPath, ...] = ((0,),)
    """One for each tensor, in the order of the call."""
    values: Mapping[int | str, object] | None = None
    """The arguments that are no tensors, by position or name."""


@dataclass(frozen=True, slots=True)
class _Row:
    conditions: tuple[tuple[str, bool, frozenset[str]], ...]
    arguments: tuple[str, ...]
    functions: tuple[str, ...]
    outputs: tuple[Output, ...]
    has_more: bool
    passages: tuple[tuple[str, str, tuple[Pass, ...]], ...]


def behaviour(
    key: str, config: Mapping[str, object], call: Call, *, training: bool
) -> Behaviour | None:
    """Return how gradient passes through a call of a layer; None where that is not known.

    Args:
        key: as in the column ``class``.
        config: the layer's configuration.
        call: its arguments.
        training: whether the model is called as in training.
    """
    for row in _rows().get(key, ()):
        if all(
            (_value(name, config, call, row, training=training) in values) == wanted
            for name, wanted, values in row.conditions
        ) and _covers_quantization(row, config):
            return _of_row(row, config, call)
    return None


def has_rows(key: str) -> bool:
    """Return whether the table has the class ``key``."""
    return key in _rows()


def is_own_function(value: object) -> bool:
    """Return whether a value of a configuration names a function of Keras's own, or none."""
    if value is None:
        return True
    if isinstance(value, str):
        return value in _function_names()
    if not isinstance(value, Mapping):
        return False
    name, config, module = value.get("class_name"), value.get("config"), value.get("module")
    if name == "function":
        is_built_in = value.get("registered_name") in (None, "function", config)
        return is_built_in and module in (None, "builtins") and config in _function_names()
    return False


def matches(pattern: str, path: str) -> bool:
    """Return whether a pattern of a weight's path fits ``path``."""
    if pattern == "**":
        return True
    parts, names = pattern.split("/"), path.split("/")
    return len(parts) == len(names) and all(
        part in (_ALL, name) for part, name in zip(parts, names, strict=True)
    )


def _of_row(row: _Row, config: Mapping[str, object], call: Call) -> Behaviour:
    names = [_named(path, row.arguments) for path in call.tensors]
    closing = tuple(
        Pass(Kind.UNKNOWN, _function_name(config.get(key)), key)
        for key in row.functions
        if not is_own_function(config.get(key))
    )
    passages: list[Passage] = []
    apart: list[int | str] = []
    for source, output, steps in row.passages:
        sources: Iterable[int | str] = (
            [source[1:]]
            if source.startswith("$")
            else [number for number, name in enumerate(names) if _is_within(name, source)]
        )
        for item in sources:
            if output == "-":
                apart.append(item)
            else:
                number = None if output == _ALL else int(output)
                passages.append(Passage(item, number, (*steps, *closing)))
    return Behaviour(row.outputs, row.has_more, tuple(passages), tuple(apart))


def _function_name(value: object) -> str:
    """Return the name of a function that is not Keras's own."""
    if isinstance(value, Mapping):
        config = value.get("config")
        value = config if isinstance(config, str) else value.get("class_name")
    return value if isinstance(value, str) and value else "function"


def _named(path: ArgumentPath, arguments: Sequence[str]) -> str:
    """Return the path of a tensor as the table writes it: ``inputs.0``."""
    first, *rest = path
    if isinstance(first, int):
        first = arguments[min(first, len(arguments) - 1)] if arguments else str(first)
    return ".".join(map(str, (first, *rest)))


def _is_within(name: str, source: str) -> bool:
    return name == source or name.startswith(f"{source}.")


def _value(
    name: str, config: Mapping[str, object], call: Call, row: _Row, *, training: bool
) -> str:
    """Return what a condition asks for, as the table writes it."""
    if name == "@training":
        return _text(training)
    if name == "@tensors":
        return _text(len(call.tensors))
    if name == "@quantized":
        return _text(_is_quantized(config))
    values = call.values or {}
    if name.startswith("@given."):
        names = (_named(path, row.arguments) for path in call.tensors)
        return _text(any(_is_within(other, name[len("@given.") :]) for other in names))
    if name.startswith("call."):
        name = name[len("call.") :]
        position = row.arguments.index(name) if name in row.arguments else name
        return _text(values.get(name, values.get(position)))
    value: object = config
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return _text(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _is_quantized(config: Mapping[str, object]) -> bool:
    policy = config.get("dtype")
    is_named = isinstance(policy, Mapping) and "Quantized" in str(policy.get("class_name"))
    return is_named or bool(config.get("quantization_config"))


def _covers_quantization(row: _Row, config: Mapping[str, object]) -> bool:
    asks = any(name == "@quantized" for name, _, _ in row.conditions)
    return asks or not _is_quantized(config)


@cache
def _rows() -> Mapping[str, tuple[_Row, ...]]:
    return {key: tuple(map(_parsed, lines)) for key, lines in _lines().items()}


@cache
def _lines() -> Mapping[str, list[str]]:
    rows: dict[str, list[str]] = {}
    lines = PATH.read_text(encoding="utf-8").splitlines()
    for line in [line for line in lines if not line.startswith("#")][1:]:
        rows.setdefault(line.partition("\t")[0], []).append(line)
    return rows


@cache
def _function_names() -> frozenset[str]:
    """Return the names of Keras's own activations: the rows ``activations.NAME``."""
    start = "activations."
    return frozenset(key[len(start) :] for key in _lines() if key.startswith(start))


def _parsed(line: str) -> _Row:
    row = dict(zip(COLUMNS, line.split("\t"), strict=True))
    outputs = row["outputs"]
    return _Row(
        conditions=tuple(map(_condition, row["when"].split())),
        arguments=tuple(row["arguments"].split()),
        functions=tuple(row["functions"].split()),
        outputs=tuple(Output(word) for word in outputs.removesuffix(_ALL).split()),
        has_more=outputs.endswith(_ALL),
        passages=tuple(map(_passage, row["passages"].split())),
    )


def _condition(text: str) -> tuple[str, bool, frozenset[str]]:
    name, _, values = text.partition("=")
    return name.removesuffix("!"), not name.endswith("!"), frozenset(values.split("|"))


def _passage(text: str) -> tuple[str, str, tuple[Pass, ...]]:
    source, _, rest = text.partition(">")
    output, _, steps = rest.partition(":")
    return source, output, tuple(_step(step) for step in steps.split(",") if step)


def _step(text: str) -> Pass:
    kind, _, rest = text.partition("/")
    op_type, _, label = rest.partition("#")
    return Pass(Kind(kind), op_type, label)

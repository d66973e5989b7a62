"""Look up how gradient passes through one call of a Keras layer or operation, in the layer table.

``layer_table.tsv`` has rows for the layers of Keras, the operations of ``keras.ops`` and the
TensorFlow functions that Keras 2 records. The first row of a class whose conditions hold counts.
What no row says is unknown: a class without a row, an argument or a weight that a row does not
list. A layer that holds other layers (TimeDistributed, Bidirectional, RNN, a model) has no row:
``flow.lower.layers`` puts it together from what it holds.

``python -m gradflow.tables.layer_table`` measures the rows and writes them. The columns of a row:

``class``
    ``Dense`` for a layer, ``ops.Matmul`` for a class of ``keras.ops``, ``tf.math.add`` for a
    TensorFlow function, ``activations.relu`` for a function that layers are given.
``when``
    Conditions with a space between them, all of which must hold: ``use_scale=true``,
    ``padding=same|valid``. On the left stands a key of the configuration, ``call.NAME`` for an
    argument of the call that is no tensor, or one of these: ``@training``, ``@given.NAME`` (whether
    an argument is a tensor), ``@items.NAME`` (how many tensors it holds), ``@kinds`` (``float``,
    ``int``, ``float+int``: of all tensors), ``@dtype`` (``float`` or ``int``: what the layer is to
    compute in), ``@policy`` (how it is quantized, else ``float``). Values are JSON, text without
    quotation marks; what is absent is ``null``; ``#`` stands for all numbers, and for lists and
    objects of them.
``arguments``
    The names of the positional arguments of the call, in their order.
``keys``
    The keys of the configuration that were tried, with the values for which the row holds, as
    above, where ``#`` stands for ``null`` too; ``@``: a function, which stands as a step below.
    With any other value, or a key that is neither here nor in ``NEVER_MATTER``, nothing is known
    of the layer.
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
    of ``Kind`` and the type of the TensorFlow op: ``discrete/ArgMax``, ``cut/StopGradient``; or
    ``@KEY``, the function that the configuration has under that key. Steps of one call with the
    same text before the same output are one place; ``cut/Round#2`` is another one than
    ``cut/Round``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path

from gradflow.lazy_dataclass import dataclass
from gradflow.ops.config_values import FLOAT, INT, dtype_of, is_numbers, policy_of, text_of

PATH = Path(__file__).with_name("layer_table.tsv")
COLUMNS = "class when arguments keys outputs passages".split()

ArgumentPath = tuple[int | str, ...]
"""Where a tensor stands among the arguments of a call: ``(0,)``, ``("mask",)``, ``(0, 1)`` for the
second of a list that is the first argument."""
_ALL, _NUMBERS, _ANY_FUNCTION = "*", "#", "@"
NEVER_MATTER = (
    "name trainable dtype build_config *_shape input_dim input_dtype seed data_format "
    "*_initializer *_regularizer *_constraint initializer init shared_object_id "
    "vocabulary idf_weights salt oov_token mask_token equation encoding "
    "vocabulary_size weights bias_axes implementation num_tokens autocast "
    "attention_axes shared_axes dims units output_dim projection_dim init_values "
    "quantization_config gptq_unpacked_column_size input_length padding output_padding "
    "zero_output_for_mask time_major rms_scaling synchronized sliding_window max_tokens "
    "pad_to_max_tokens rng_type fill_mode softmax_robust_masking bounding_box_format window "
    # Keras 1.
    "nb_* filter_length kernel_dim* dim_ordering *_init consume_less border_mode subsample "
    "subsample_length atrous_rate pool_length stride length bias transform_bias"
).split()
"""Keys of a layer's configuration whose value has no effect on where gradient goes; ``*`` stands
for any text."""
_NEVER_IN_OPERATIONS = ("name", "trainable", "dtype_policy", "seed", "subscripts", "function")
_NEVER_IN_FUNCTIONS = (*_NEVER_IN_OPERATIONS, "dtype")
"""Of a TensorFlow function, whose arguments stand in the call."""
_NEVER = re.compile("|".join(pattern.replace("*", ".*") for pattern in NEVER_MATTER))


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
    FUNCTION = "function"
    """In the table alone: what a function of the configuration does."""


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
    floating: tuple[bool, ...] = ()
    """Whether each tensor is; all of them where nothing is said."""


@dataclass(frozen=True, slots=True)
class _Row:
    conditions: tuple[tuple[str, bool, frozenset[str]], ...]
    arguments: tuple[str, ...]
    keys: Mapping[str, frozenset[str]]
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
    return next(
        (
            _of_row(row, config, call)
            for row in _rows(key)
            if _holds(key, row, config, call, training)
        ),
        None,
    )


def _holds(key: str, row: _Row, config: Mapping[str, object], call: Call, training: bool) -> bool:
    """Whether a row speaks of a call."""
    is_layer = is_layer_key(key)
    names = {name for name, _, _ in row.conditions}
    return (
        all(
            _is_among(_value(name, config, call, row, training=training), values) == wanted
            for name, wanted, values in row.conditions
        )
        and all(
            _is_known(row, name, value) or never_matters(name, key)
            for name, value in config.items()
        )
        # A layer that is quantized, or that computes with integers, is another one.
        and (not is_layer or "@policy" in names or policy_of(config) == FLOAT)
        and (not is_layer or "@dtype" in names or dtype_of(config) == FLOAT)
    )


def _is_known(row: _Row, key: str, value: object) -> bool:
    values = row.keys.get(key)
    if values is None:
        return value is None
    is_default = value is None and _NUMBERS in values
    return is_default or _ANY_FUNCTION in values or _is_among(value, values)


def _is_among(value: object, values: frozenset[str]) -> bool:
    return text_of(value) in values or (_NUMBERS in values and is_numbers(value))


def all_rows() -> Iterable[Mapping[str, str]]:
    """Yield every row, by column."""
    for lines in _lines().values():
        for line in lines:
            yield dict(zip(COLUMNS, line.split("\t"), strict=True))


def render(rows: Iterable[Mapping[str, str]], notes: Iterable[str]) -> str:
    """Return the text of a table; the rows of one class stay in their order."""
    lines = ["\t".join(row[column] for column in COLUMNS) for row in rows]
    lines.sort(key=lambda line: line.partition("\t")[0])
    return "".join(f"{line}\n" for line in (*notes, "\t".join(COLUMNS), *lines))


def has_rows(key: str) -> bool:
    """Return whether the table has the class ``key``."""
    return key in _lines()


def keys() -> Iterable[str]:
    """Return all classes of the table."""
    return _lines().keys()


def never_matters(name: str, key: str) -> bool:
    """Return whether ``name`` in the configuration of a class ``key`` has no effect on where
    gradient goes."""
    if is_layer_key(key):
        return _NEVER.fullmatch(name) is not None
    return name in (_NEVER_IN_FUNCTIONS if key.startswith("tf.") else _NEVER_IN_OPERATIONS)


def is_layer_key(key: str) -> bool:
    """Return whether a class of the table is one of layers, and no operation or function."""
    return not key.startswith(("ops.", "tf.", "activations."))


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
                passages.append(Passage(item, number, _filled(steps, config)))
    return Behaviour(row.outputs, row.has_more, tuple(passages), tuple(apart))


def _filled(steps: tuple[Pass, ...], config: Mapping[str, object]) -> tuple[Pass, ...]:
    """Put the steps of a function of the configuration in the place of what stands for it."""
    filled: list[Pass] = []
    for step in steps:
        filled += _steps_of(step.label, config) if step.kind is Kind.FUNCTION else [step]
    return tuple(filled)


def _steps_of(key: str, config: Mapping[str, object]) -> tuple[Pass, ...]:
    value = config.get(key)
    if value is None:
        return ()
    name = _function_name(value)
    unknown = (Pass(Kind.UNKNOWN, name, key),)
    if is_own_function(value):
        known = behaviour(f"activations.{name}", {}, Call(), training=True)
    elif isinstance(value, Mapping) and value.get("module") == "keras.layers":
        inner = value.get("config")
        known = behaviour(
            str(value.get("class_name")),
            inner if isinstance(inner, Mapping) else {},
            Call(),
            training=True,
        )
    else:
        return unknown
    if known is None or len(known.passages) != 1:
        return unknown
    return known.passages[0].steps


def _function_name(value: object) -> str:
    """Return the name of a function that a configuration holds."""
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
) -> object:
    """Return what a condition asks for."""
    if name.startswith("@"):
        return _fact(name, config, call, row, training=training)
    if name.startswith("call."):
        values = call.values or {}
        name = name[len("call.") :]
        position = row.arguments.index(name) if name in row.arguments else name
        return values.get(name, values.get(position))
    return config.get(name)


def _fact(
    name: str, config: Mapping[str, object], call: Call, row: _Row, *, training: bool
) -> object:
    kind, _, argument = name.partition(".")
    if kind == "@training":
        return training
    if kind == "@policy":
        return policy_of(config)
    if kind == "@dtype":
        return dtype_of(config)
    if kind == "@kinds":
        floating = call.floating or (True,)
        kinds = {FLOAT if is_floating else INT for is_floating in floating}
        return "+".join(sorted(kinds))
    names = [_named(path, row.arguments) for path in call.tensors]
    if kind == "@given":
        return any(_is_within(other, argument) for other in names)
    return sum(other.startswith(f"{argument}.") for other in names)


@cache
def _rows(key: str) -> tuple[_Row, ...]:
    return tuple(map(_parsed, _lines().get(key, ())))


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
        keys=dict(map(_key, row["keys"].split())),
        outputs=tuple(Output(word) for word in outputs.removesuffix(_ALL).split()),
        has_more=outputs.endswith(_ALL),
        passages=tuple(map(_passage, row["passages"].split())),
    )


def _condition(text: str) -> tuple[str, bool, frozenset[str]]:
    name, _, values = text.partition("=")
    return name.removesuffix("!"), not name.endswith("!"), frozenset(values.split("|"))


def _key(text: str) -> tuple[str, frozenset[str]]:
    name, _, values = text.partition("=")
    return name, frozenset(values.split("|"))


def _passage(text: str) -> tuple[str, str, tuple[Pass, ...]]:
    source, _, rest = text.partition(">")
    output, _, steps = rest.partition(":")
    return source, output, tuple(_step(step) for step in steps.split(",") if step)


def _step(text: str) -> Pass:
    if text.startswith("@"):
        return Pass(Kind.FUNCTION, "", text[1:])
    kind, _, rest = text.partition("/")
    op_type, _, label = rest.partition("#")
    return Pass(Kind(kind), op_type, label)

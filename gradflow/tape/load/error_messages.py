"""Tell people in one line what an exception of Keras or TensorFlow means, and what helps."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from gradflow.errors import SAVE_AGAIN, UnreadableError
from gradflow.files.keras.code import LAMBDA, class_names, function_names, without_flag
from gradflow.files.keras.opened import read_json
from gradflow.files.model_file import ModelFile
from gradflow.scan.keras.allowed_names import Kind, named
from gradflow.text import listed

LAMBDA_HINT = (
    "if you trust the file, load it with safe_mode=False and give the model to "
    "gradflow.inspect(model) in Python"
)
_CLASS = re.compile(
    r"(?:Could not locate|Unknown) ([a-z ]+):? '([^']+)'"
    r"|Cannot deserialize object of (type) `(\w+)`"
)
_NO_FLAG = re.compile(r"Expected `trainable`.* to be a boolean")
_OTHER_WEIGHTS = re.compile(
    r"objects could not be loaded|Shape mismatch in layer|Layer weight shape .* not compatible"
    r"|expected \d+ (?:variables|weights), but received|weight file containing \d+ layers"
)
"""The words of Keras 3.15 and tf_keras 2.21 for weights that fit no layer."""
_NO_KERNEL = re.compile(r"No OpKernel was registered to support Op '(\w+)'")
"""TensorFlow's words for an op that runs on other devices only (checked on 2.21.0)."""
_ABSENT = re.compile(
    r"deserialize class '([^']+)' because its parent module ([\w.]+) cannot be imported"
)
_MODULE = re.compile(r"Full object config: \{'module': '([\w.]+)'")
_PACKAGES = frozenset(
    "keras_cv keras_hub keras_nlp keras_rs keras_tuner tensorflow_addons tensorflow_hub "
    "tensorflow_probability "
    "tensorflow_recommenders tensorflow_text".split()
)
"""Packages whose classes are found, once the package is installed, with no option given."""
_KERAS = frozenset({"keras", "tensorflow", "tf_keras"})
_ANONYMOUS = re.compile(
    r"(?:identifier:|function:?) '?<lambda>|(?:identifier:|format for) \{'value': \['4w"
)
"""By name, or by its code: in base64, that of Python begins with ``4w`` (tf_keras 2.21)."""
_ANONYMOUS_HINT = (
    "name the function where the model is built (def, not lambda) and save it again, or give "
    "the model in memory to "
    "gradflow.inspect(model)"
)
_INNERMOST = re.compile(
    r"(?:Exception encountered(?:: (?!Exception encountered)| when calling [^\n]*\n+)|Error "
    r"encountered:\n+)(?=(.+))"
)
_DECORATION = re.compile(
    r"\x1b\[[0-9;]*m|\{\{function_node [^}]*\}\} ?| ?\[Op:\w+\](?: name: ?\S*)?"
)
"""Bold type, and what eager TensorFlow writes around its own words."""
_NOISE = re.compile(
    r"^(Graph execution error|Detected at node|<stack traces|File \"|.*\.py\", line \d+, in )"
)
_OLD = ("keras 1", "keras 2")
_BUILT_IN = frozenset({"Functional", "Sequential", "Model"})
"""Classes that Keras 2 wrote under names which Keras 3 does not find."""
_NO_CALLBACK = re.compile(
    r"Could not find callback with key=|KeyError: b?'pyfunc_\d+'"
    r"|EagerPyFuncGrad called on a non-EagerFunc object: None"
)
"""TensorFlow's words for a Python function of another process (checked on 2.21.0)."""
_LENGTH = 240


class BackwardError(Exception):
    """TensorFlow cannot differentiate what it could run; the cause is its own exception."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """What is known of a Keras file that was not loaded."""

    producer: str | None
    """What wrote it."""
    config: object = None
    """The model's JSON."""
    known: Collection[str] = ()
    """Names of the classes and functions that the user has given."""
    imported: Sequence[str] = ()
    """The modules that they are from."""
    keras_version: str = keras.__version__
    """Of the Keras that has tried."""


def attempted(
    file: ModelFile,
    producer: str | None,
    known: Collection[str] = (),
    imported: Sequence[str] = (),
    keras_version: str = keras.__version__,
) -> Attempted:
    """Describe ``file``, which the Keras of ``keras_version`` does not load."""
    try:
        config = read_json(file).model
    except UnreadableError:
        config = None
    return Attempted(producer, config, known, imported, keras_version)


def keras_refusal(error: Exception, file: Attempted) -> tuple[str, str]:
    """Return why Keras does not load a file, and what to do.

    The messages are those of Keras 3.3 to 3.15 (keras/src/saving/serialization_lib.py).
    """
    chain = _chain(error)
    if _ANONYMOUS.search(chain):
        return (
            "it uses an anonymous function (<lambda>), which Keras does not restore",
            _ANONYMOUS_HINT,
        )
    lost = _lost_class(chain, file)
    if lost is not None:
        return lost
    if "Lambda" in chain and "safe_mode" in chain:
        return f"it holds {LAMBDA}", LAMBDA_HINT
    if "TFSMLayer" in chain and "safe" in chain:
        return "it holds a TFSMLayer, which loads another SavedModel", LAMBDA_HINT
    unflagged = without_flag(file.config) if _NO_FLAG.search(chain) else ()
    if unflagged:
        return (
            f"trainable of {listed(unflagged)} is neither true nor false in it",
            "set layer.trainable to True or False where the model is built and save it again, or "
            "read its flags with --static",
        )
    if _OTHER_WEIGHTS.search(chain):
        return (
            f"its layers and its weights are of different models: {first_line(error)}",
            "save the model again, or give the file whose weights belong to these layers",
        )
    reason = first_line(error)
    if isinstance(error, KeyError) or len(reason.split()) < 2:
        reason = f"{type(error).__name__}: {reason}"
    return reason, _way_out(file)


def _lost_class(chain: str, file: Attempted) -> tuple[str, str] | None:
    """Say which classes and functions Keras does not find, all of them, and where it could look;
    None where that is not the matter."""
    missing = _CLASS.search(chain)
    kind, name = (missing[1] or "class", missing[2] or missing[4]) if missing else ("", "")
    if missing and _is_operation(name):
        return (
            f"it uses {name} of keras.ops, which Keras does not restore from this format",
            ("save the model as model.keras, which keeps such operations"),
        )
    absent = _ABSENT.search(chain)
    package = absent[2].partition(".")[0] if absent else ""
    if absent and package not in _KERAS:
        hint = (
            f"pip install {package.replace('_', '-')}"
            if package in _PACKAGES
            else f"--import {absent[2]}"
        )
        reason = (
            f"it uses {_named([absent[1], *_foreign(file)])} of the module {absent[2]}, which is "
            "not found"
        )
        return reason, f"{hint}: gradflow looks in its own environment and in the working directory"
    if not missing or (is_old(file.producer) and name in _BUILT_IN):
        return None
    what, is_one = _missing(file, kind, name)
    it = "it" if is_one else "them"
    if file.imported:
        modules = " and ".join(f"--import {module}" for module in file.imported)
        verb = "does" if len(file.imported) == 1 else "do"
        return (
            f"it uses {what}, which {modules} {verb} not define",
            f"give the module that defines {it} with another --import",
        )
    module = _MODULE.search(chain)
    known_module = module[1] if module else ""
    place = known_module if known_module.partition(".")[0] not in (*_KERAS, "builtins") else ""
    reason = f"it uses {what}, which Keras does not have"
    return reason, f"--import {place or 'MODULE'}, the module that defines {it}"


def _missing(file: Attempted, kind: str, name: str) -> tuple[str, bool]:
    """Name all that is missing where Keras has missed ``name`` first, and whether it is one thing.

    tf_keras 2.21 calls a function that it does not find by the word ``function``.
    """
    classes, functions = _foreign(file), _foreign_functions(file)
    if _bare(name) not in (*classes, *functions, "function") or not (classes or functions):
        return f"the {kind} {name!r}", True
    parts = [
        *([_named(classes)] if classes else []),
        *([_named(functions, "function")] if functions else []),
    ]
    return " and ".join(parts), len(classes) + len(functions) == 1


def _foreign(file: Attempted) -> list[str]:
    """Return the classes of the file that are neither Keras's own nor given by the user."""
    return _not_known(file, Kind.CLASS, class_names(file.config))


def _foreign_functions(file: Attempted) -> list[str]:
    return _not_known(file, Kind.FUNCTION, function_names(file.config))


def _not_known(file: Attempted, kind: Kind, names: Iterable[str]) -> list[str]:
    known = {_bare(name) for name in file.known}
    bare = sorted({_bare(name) for name in names})
    return [name for name in bare if name not in known and named(kind, name) is None]


def _bare(name: str) -> str:
    """Return a name without the package under which it is registered."""
    return name.rpartition(">")[2]


def _named(names: Iterable[str], kind: str = "class") -> str:
    each = list(dict.fromkeys(names))
    plural = ("es" if kind == "class" else "s") if each[1:] else ""
    return f"the {kind}{plural} {listed(map(repr, each))}"


def without_kernel(error: BaseException | None) -> str | None:
    """Return the type of an op that this machine's processors cannot run, where that stopped the
    run."""
    found = _NO_KERNEL.search(_chain(error))
    return found[1] if found else None


def refuse_other_than(kind: type, loaded: object, path: Path) -> None:
    """Raise UnreadableError where what was loaded is no layer.

    Keras 3.15 and tf_keras 2.21 give back a dictionary where the configuration names a class and
    has nothing for it.
    """
    if not isinstance(loaded, kind):
        reason = (
            f"Keras loads no model from it, but an object of the class {type(loaded).__name__!r}"
        )
        raise UnreadableError(f"{path}: {reason}", SAVE_AGAIN)


def _is_operation(name: str) -> bool:
    """Return whether this Keras has an operation of that class which is no layer, and so no layer
    of the user's own."""
    kinds = list(keras.Operation.__subclasses__())
    for kind in kinds:
        kinds += [] if issubclass(kind, keras.layers.Layer) else kind.__subclasses__()
    return any(
        kind.__name__ == name and kind.__module__.startswith("keras.src.ops.") for kind in kinds
    )


def calls_lost_python(error: Exception) -> bool:
    """Return whether a PyFunc stopped the run: a process knows the functions that it made itself,
    and no other."""
    return _NO_CALLBACK.search(_chain(error)) is not None


def is_old(producer: str | None) -> bool:
    """Return whether a Keras 1 or 2 wrote the file."""
    return producer is not None and producer.startswith(_OLD)


def first_line(error: Exception) -> str:
    """Return the line of an error's text that says most."""
    text = _DECORATION.sub("", str(error))
    if text.startswith(("('", '("')):  # several arguments, of which Python shows the tuple
        text = str(error.args[0])
    innermost = _INNERMOST.findall(text)
    if innermost:
        return _short(innermost[-1])
    lines = [line.strip() for line in text.splitlines()]
    telling = [line for line in lines if line and not _NOISE.match(line)]
    return _short(telling[0]) if telling else type(error).__name__


def _way_out(file: Attempted) -> str:
    if is_old(file.producer) and file.producer != f"keras {file.keras_version}":
        way = f"load it with {file.producer} and save it as a SavedModel"
    else:
        way = "load it where it was saved and save it again"
    return f"{way}, or read its flags with --static"


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    sentence = re.split(r"(?<!vs)\. ", text)[0].rstrip(".")
    return sentence if len(sentence) <= _LENGTH else sentence[: _LENGTH - 3] + "..."


def _chain(error: BaseException | None) -> str:
    texts: list[str] = []
    while error is not None and len(texts) < 10:
        texts.append(str(error))
        error = error.__cause__ or error.__context__
    return "\n".join(texts)

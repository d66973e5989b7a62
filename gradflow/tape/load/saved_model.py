"""Load a function of a SavedModel with TensorFlow, described by the file itself."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from gradflow.errors import UnreadableError
from gradflow.files.dtypes import dtype_name
from gradflow.files.saved_model.contents import Entry, SavedModelContents, variables_of
from gradflow.files.saved_model.viewer_ids import viewer_ids
from gradflow.flow.graph import FlowGraph
from gradflow.flow.input_use.uses import RaggedParts, SparseParts
from gradflow.flow.lower.graph_def import op_types
from gradflow.flow.lower.saved_model import lost_gradients, lower_entry
from gradflow.ops.packages import package_of
from gradflow.tape.custom_ops import registered_specs, unregistered
from gradflow.tape.inputs.batch import Composite
from gradflow.tape.inputs.graph_hints import Knowledge, saved_knowledge
from gradflow.tape.load.error_messages import first_line, without_kernel
from gradflow.tape.load.revived_optimizer import revived_optimizers
from gradflow.tape.load.seeded_ops import seeded_ops
from gradflow.tape.loaded_model import HALVES, SINGLE, NamedTensors, Watched
from gradflow.tape.taped_model import TapedModel

_TYPE = re.compile(r"The type '([^']+)' has not been registered")
_DAMAGE = re.compile(
    r"Read less bytes than requested|[Cc]hecksum|[Cc]orrupt|not an sstable|truncated|Data loss"
)
"""What TensorFlow says of files of variables that are cut short or changed; the types of its errors
differ."""
_DEBUG_INFO = "saved_model_debug_info.pb"
_NO_FILE = re.compile(r"variables\.data-\S+; No such file")
"""What it says where one of several files of variables is not there."""
_OTHER_RUN = re.compile(
    r"incompatible tensor with shape|were not bound to checkpointed values|not found in checkpoint"
    r"|requires shapes of both tensors to match|do not match the shape in the checkpoint"
)
"""What it says where the files of the variables belong to another graph."""
_MOST = 8
"""Op types that one message names."""


class SavedFunction(TapedModel):
    """An entry of a SavedModel that is a function of TensorFlow 2."""

    knows_graph = True
    has_stored_graph = True

    def __init__(self, loaded: Any, contents: SavedModelContents, entry: Entry) -> None:
        """Bind the variables that ``entry`` captures of what ``load_graph`` has returned."""
        # NOTE: lookup tables are freed with what was loaded, though the function refers to them.
        self._loaded = loaded
        self._contents = contents
        self._entry = entry
        self._concrete = _concrete(self._loaded, entry)
        self.producer = contents.producer
        self.entry = entry.label
        self.inputs = entry.inputs
        self.composites = _composites(self._concrete, entry)
        self.watched = tuple(_watched(self._concrete, contents, entry))
        self.lost_gradients = lost_gradients(contents)
        self.epsilon = epsilon_of(contents)
        self.is_training = bool(entry.training)
        self.doubts = contents.doubts
        self.scopes_are_layers = contents.has_layers

    def call(self, tensors: Sequence[Any]) -> NamedTensors:
        """Call the entry on ``tensors``, in the order of ``inputs``; return its outputs."""
        concrete = _concrete(self._loaded, self._entry)
        names = [info.name for info in self._entry.outputs]
        if self._entry.is_signature:
            named = {info.name: tensor for info, tensor in zip(self.inputs, tensors, strict=True)}
            outputs = concrete(**named)
            parts = [
                part
                for name in sorted(outputs)
                for part in tf.nest.flatten(outputs[name], expand_composites=True)
            ]
            return list(zip(names, parts, strict=True))
        structure = concrete.structured_input_signature
        flat = iter(tensors)
        filled = [
            next(flat) if isinstance(item, tf.TensorSpec) else item
            for item in tf.nest.flatten(structure, expand_composites=True)
        ]
        args, kwargs = tf.nest.pack_sequence_as(structure, filled, expand_composites=True)
        values = tf.nest.flatten(concrete(*args, **kwargs), expand_composites=True)
        return list(zip(names, filter(tf.is_tensor, values), strict=False))

    def stored_graph(self, selected: Sequence[str]) -> FlowGraph:
        """Return the graph that the file holds, to the outputs called ``selected`` (empty for
        all)."""
        return entry_graph(self._contents, self._entry, selected)

    def viewer_ids(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        """Return what Model Explorer calls the nodes of the file."""
        return viewer_ids(self._contents.graph_def)

    def ask_graph(self) -> Knowledge:
        """Follow the inputs through the file's own graph."""
        return saved_knowledge(self._contents, self._entry, self._concrete)


def load_graph(folder: Path, contents: SavedModelContents, seed: int = 0) -> Any:
    """Load one graph of the SavedModel in ``folder``; ``seed`` is for its random ops.

    Raises:
        NotLoadedError: TensorFlow refuses to load it; the message gives its reason.
        UnreadableError: its variables are damaged.
    """
    try:
        with revived_optimizers(), seeded_ops(seed):
            return tf.saved_model.load(
                str(folder), None if contents.is_only else list(contents.tags)
            )
    # More than twenty types were seen, for files that are damaged or want other packages.
    except Exception as error:
        raise refusal(folder, contents, error) from error


def _watched(concrete: Any, contents: SavedModelContents, entry: Entry) -> Iterator[Watched]:
    """Bind the records of variables to the live ones that the function captures."""
    live = {id(variable.handle): variable for variable in concrete.graph.variables}
    bound: dict[str, Any] = {}
    captured = entry.captured[-len(concrete.captured_inputs) :] if concrete.captured_inputs else ()
    for name, external in zip(captured, concrete.captured_inputs, strict=False):
        if name is not None and id(external) in live:
            bound[name] = live[id(external)]
    for stored in variables_of(contents, entry):
        yield Watched(stored, bound.get(stored.name))


def entry_graph(contents: SavedModelContents, entry: Entry, selected: Sequence[str]) -> FlowGraph:
    """Return the graph of ``entry`` that the file holds, with what this TensorFlow knows of its
    ops; what only a step can tell is left to the step."""
    registered = registered_specs(op_types(contents.graph_def))
    return lower_entry(contents, entry, selected, registered).as_if_unknown_flowed()


def _composites(concrete: Any, entry: Entry) -> tuple[Composite, ...]:
    """Return the sparse and ragged tensors among a function's arguments; a signature has none."""
    if entry.is_signature:
        return ()
    names = iter(info.name for info in entry.inputs)
    composites: list[Composite] = []
    for item in tf.nest.flatten(concrete.structured_input_signature):
        if not isinstance(item, tf.TypeSpec):
            continue
        parts = [next(names) for _ in tf.nest.flatten(item, expand_composites=True)]
        if isinstance(item, tf.SparseTensorSpec):
            shape = tuple(item.shape.as_list()) if item.shape.rank is not None else None
            composites.append(SparseParts(parts[0], parts[1], parts[2], shape, name=parts[0]))
        elif isinstance(item, tf.RaggedTensorSpec) and len(parts) > 1:
            composites.append(RaggedParts(parts[0], tuple(parts[1:]), name=parts[0]))
    return tuple(composites)


def epsilon_of(contents: SavedModelContents) -> float:
    """Return the epsilon of the coarsest type that a variable has or that a value is cast to."""
    types = {variable.dtype for variable in contents.variables}
    for nodes in (
        contents.graph_def.node,
        *(function.node_def for function in contents.graph_def.library.function),
    ):
        types.update(dtype_name(node.attr["DstT"].type) for node in nodes if node.op == "Cast")
    return max(HALVES.get(name, SINGLE) for name in types)


class NotLoadedError(UnreadableError):
    """TensorFlow cannot load the file, which can be read all the same."""


def refusal(folder: Path, contents: SavedModelContents, error: Exception) -> UnreadableError:
    """Say why TensorFlow did not load ``folder``: files that are cut short, or something that it
    does not have."""
    if _DEBUG_INFO in str(error):
        return UnreadableError(
            f"{folder}: its debug information is damaged: {first_line(error)}",
            "remove its folder debug, which only tells lines of source code, or copy it again",
        )
    if _DAMAGE.search(str(error)):
        return UnreadableError(
            f"{folder}: its variables are damaged: {first_line(error)}",
            "save or copy the model again",
        )
    missing = unregistered(op_types(contents.graph_def))
    absent = _absent(folder, error)
    if absent and contents.variables:
        hint = "put the folder variables beside saved_model.pb, or copy the model again"
        return NotLoadedError(f"{absent} of its variables are missing", hint)
    if _OTHER_RUN.search(str(error)):
        return NotLoadedError(
            "its graph and the files of its variables come from different exports: "
            f"{first_line(error)}",
            "copy saved_model.pb and the folder variables of one and the same export",
        )
    kernel = without_kernel(error)
    if kernel is not None:
        return other_device(kernel)
    if missing:
        reason = f"it uses {_listed(missing)}, which TensorFlow {tf.__version__} does not have"
    else:
        reason = f"TensorFlow {tf.__version__} cannot load it: {first_line(error)}"
        missing = tuple(_TYPE.findall(str(error)))
    bringing = (
        f"no module that was imported registers it: pass --import {package_of(missing)}, the one "
        "that does"
        if missing
        else ""
    )
    return NotLoadedError(
        reason, bringing or "load it with the TensorFlow that saved it, and save it again"
    )


def other_device(op_type: str) -> NotLoadedError:
    """Say that this machine's processors cannot run a type of op."""
    return NotLoadedError(
        f"it uses the op type {op_type}, for which TensorFlow {tf.__version__} has no kernel that "
        "runs here",
        "analyse it on a machine with the device it was made for (a GPU, a TPU), or save it "
        "without this op",
    )


def _absent(folder: Path, error: Exception) -> str | None:
    """Return which of the files beside the graph are not there: their index, or some of those that
    it tells of."""
    files = [path.name for path in (folder / "variables").glob("variables.*")]
    is_whole = "variables.index" in files and any(
        name.startswith("variables.data-") for name in files
    )
    if is_whole and not _NO_FILE.search(str(error)):
        return None
    return "some of the files" if files else "the files"


def _listed(missing: Sequence[str]) -> str:
    shown = ", ".join(missing[:_MOST])
    more = f" and {len(missing) - _MOST} more" if len(missing) > _MOST else ""
    return f"the op type{'s' if len(missing) > 1 else ''} {shown}{more}"


def _concrete(loaded: Any, entry: Entry) -> Any:
    """Return the function of an entry.

    Raises:
        NotLoadedError: what was loaded does not have it.
    """
    try:
        return _found(loaded, entry)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise NotLoadedError(
            f"TensorFlow {tf.__version__} loads it, and {entry.label} is not in what it has "
            "loaded: the objects of the file are named or nested in a way that no exporter does",
            "save the model again",
        ) from error


def _found(loaded: Any, entry: Entry) -> Any:
    if entry.is_signature:
        return loaded.signatures[entry.name]
    function = functools.reduce(_child, entry.name.split("."), loaded)
    variants = getattr(function, "concrete_functions", None) or [function]
    return variants[min(entry.variant, len(variants) - 1)]


def _child(holder: Any, name: str) -> Any:
    """Return an attribute, or what a list or a dict holds."""
    if hasattr(holder, name):
        return getattr(holder, name)
    return (
        holder[int(name)] if name.isdecimal() and not isinstance(holder, Mapping) else holder[name]
    )

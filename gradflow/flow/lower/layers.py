"""Lower the layers of a Keras model, as its file describes them, to a FlowGraph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gradflow.errors import UnreadableError
from gradflow.files.keras.calls import (
    INPUT_LAYER,
    LayerCall,
    ModelCalls,
    TensorOf,
    read_calls,
    tensors_in,
)
from gradflow.files.keras.cells import cells_of
from gradflow.files.keras.config import LayerConfig
from gradflow.files.keras.layer_keys import layer_key, layer_options
from gradflow.files.keras.layer_table import RECURRENT
from gradflow.files.keras.model_layers import layer_names
from gradflow.files.keras.regularizers import is_own_regularizer
from gradflow.flow.graph import Edge, GraphBuilder
from gradflow.flow.lower.call_output import CallOutput, Weight
from gradflow.flow.lower.layer_values import (
    Result,
    arguments_of,
    compute_dtype,
    inputs_fed,
    is_floating_name,
    numbered,
    outputs_used,
    resolved,
    result_is_floating,
    tensors_of,
)
from gradflow.flow.lower.layout import Tensor
from gradflow.flow.lower.lowered_layers import Arrival, LoweredLayers
from gradflow.flow.lower.recurrent_states import (
    count_of_states,
    halves,
    states_of_cell,
    with_states,
)
from gradflow.flow.op_rules import spec
from gradflow.lazy_dataclass import dataclass
from gradflow.ops.layer_rows import (
    Call,
    Output,
    behaviour,
    has_rows,
)

MAX_SIZE = 2_000_000
"""Nodes and edges beyond which a model is refused: models inside models multiply without end."""
_CALLED = ("TimeDistributed", "SpectralNormalization", "Wrapper")
"""Layers that call the layer inside them on what they are called with."""
_NOT_DESCRIBED = "a layer that the configuration does not describe"


@dataclass(frozen=True, slots=True)
class _Context:
    """Where a call stands."""

    scope: str
    """The names of the models around it, each with a slash behind it."""
    training: bool


def lower_layers(model: LayerConfig, weights: Iterable[Weight], *, training: bool) -> LoweredLayers:
    """Lay out ``model``, called once.

    Raises:
        DamagedError: its calls refer to what is not there, or to themselves.
        UnreadableError: it is too large when its models are laid out.
    """
    lowering = _Lowering(model, weights)
    try:
        return lowering.whole(training=training)
    except RecursionError:
        raise UnreadableError(
            f"the layers of the model {model.name!r} are nested too deeply to be laid out",
            "save the model with fewer models inside models",
        ) from None


class _Lowering:
    """Lays out the calls of one model and of all that stands in it."""

    def __init__(self, model: LayerConfig, weights: Iterable[Weight]) -> None:
        self._model = model
        self._builder = GraphBuilder()
        self._labels: list[str | None] = []
        self._size = 0
        self._adding: list[tuple[int, bool]] = []
        self._calls: dict[LayerConfig, ModelCalls | None] = {}
        self._twins = _twins(model)
        self._names = layer_names(model)
        self._variables: dict[str, int] = {}
        self._attached: set[str] = set()
        """Weights that were connected with what their layer returns."""
        self._apart: set[str] = set()
        """Weights that are not those of the layer that is called, though it describes them."""
        self._weights: dict[LayerConfig, list[Weight]] = {}
        for weight in weights:
            self._weights.setdefault(weight.layer, []).append(weight)
            self._variables[weight.name] = self.node(weight.name, "_Arg", None)

    def whole(self, *, training: bool) -> LoweredLayers:
        """Call the model on an input of its own."""
        context = _Context("", training)
        model, calls = self._model, self._calls_of(self._model)
        inputs: list[Arrival] = []
        if calls is None:
            node = self.node("input", "Placeholder", None)
            result = self._unknown(model, context, model.name, [Tensor(node, True)], 1)
        else:
            values: dict[tuple[LayerConfig, int], Result] = {}
            for _, tensor in tensors_in(calls.inputs):
                is_layer = tensor.layer is not model
                name = tensor.layer.name if is_layer else "input"
                node = self.node(name, "Placeholder", None)
                dtype = tensor.dtype or "float32"
                shape = _batch_shape(tensor.layer)
                inputs.append(Arrival(name, node, is_floating_name(dtype), dtype, shape))
                values[tensor.layer, 0] = Result(Tensor(node, is_floating_name(dtype)))
            result = self._inside(model, calls, values, context)
        return LoweredLayers(
            builder=self._builder,
            variables=self._variables,
            inputs=inputs,
            outputs=list(_outputs(calls, result, model)),
            layers=self._labels,
            adding=self._adding,
        )

    def _inside(
        self,
        model: LayerConfig,
        calls: ModelCalls,
        values: dict[tuple[LayerConfig, int], Result],
        context: _Context,
    ) -> Result:
        """Lay out the calls inside a model, whose inputs are in ``values`` already."""
        used = outputs_used(calls)
        for call in calls.calls:
            key = call.layer, call.number
            if key not in values and call.layer.class_name != INPUT_LAYER:
                values[key] = self._call(call, values, used.get(key, {0: None}), context)
        outputs = resolved(calls.outputs, values, self._missing)
        self._stray(model, context, [tensor for _, tensor in tensors_of(outputs)])
        return Result(outputs)

    def _stray(self, model: LayerConfig, context: _Context, outputs: Sequence[Tensor]) -> None:
        """Connect the weights of ``model`` that stand in none of its configured layers: nobody can
        tell whether its outputs depend on them."""
        nodes: dict[str, int] = {}
        for weight in self._weights_of(model):
            name = weight.path.rpartition("/")[0] or weight.path
            if name not in nodes:
                nodes[name] = self.node(f"{context.scope}{name}", _NOT_DESCRIBED, None)
                for output in outputs:
                    self.edge(Tensor(nodes[name], True), output.node, Edge.FLOW)
            self._attached.add(weight.name)
            self.edge(Tensor(self._variables[weight.name], True), nodes[name], Edge.UNKNOWN)

    def _missing(self, tensor: TensorOf) -> Tensor:
        """Return a tensor of which nothing is known."""
        return Tensor(self.node(tensor.layer.name, "Placeholder", None), True)

    def _call(
        self,
        call: LayerCall,
        values: Mapping[tuple[LayerConfig, int], Result],
        used: Mapping[int, str | None],
        context: _Context,
    ) -> Result:
        args = tuple(resolved(value, values, self._missing) for value in call.args)
        kwargs = {key: resolved(value, values, self._missing) for key, value in call.kwargs.items()}
        name = call.layer.name if call.number == 0 else f"{call.layer.name}#{call.number + 1}"
        if isinstance(kwargs.get("training"), bool):
            context = _Context(context.scope, bool(kwargs["training"]))
        return self._layer(call.layer, name, args, kwargs, used=used, context=context)

    def _layer(
        self,
        layer: LayerConfig,
        name: str,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        used: Mapping[int, str | None],
        context: _Context,
    ) -> Result:
        """Call ``layer``, of which the outputs ``used`` are read, with their dtypes where the file
        has them."""
        key = layer_key(layer)
        if key is None:
            tensors = [tensor for _, tensor in tensors_of((*args, kwargs))]
            return self._unknown(
                layer, context, name, tensors, count=max(used, default=0) + 1, used=used
            )
        if layer.is_model and not has_rows(key):
            if not args and "inputs" in kwargs:
                args = (kwargs["inputs"],)
            result = self._model_call(layer, name, args, context)
        elif key in _CALLED and len(layer.parts.get("layer", ())) == 1:
            inner = layer.parts["layer"][0]
            within = _Context(f"{context.scope}{name}/", context.training)
            result = self._layer(inner, inner.name, args, {}, used=used, context=within)
        elif key == "Bidirectional":
            args, kwargs = with_states(args, kwargs)
            result = self._bidirectional(layer, name, args, kwargs, context)
        elif key == "RNN":
            args, kwargs = with_states(args, kwargs)
            result = self._recurrent(layer, name, args, kwargs, context)
        else:
            if key in RECURRENT:
                args, kwargs = with_states(args, kwargs)
            result = self._by_table(layer, key, name, args, kwargs, used=used, context=context)
        if result is None:
            tensors = [tensor for _, tensor in tensors_of((*args, kwargs))]
            return self._unknown(
                layer, context, name, tensors, count=max(used, default=0) + 1, used=used
            )
        if not layer.is_model:
            self._leave_none_out(layer, result)
        is_certain = _adds_loss(key, layer)
        if is_certain is not None:
            first = next((tensor for _, tensor in tensors_of(result.structure)), None)
            if first is not None and first.floating:
                self._adding.append((first.node, is_certain))
        return result

    def _leave_none_out(self, layer: LayerConfig, result: Result) -> None:
        """Connect weights of ``layer`` that stand where nothing of it was laid out."""
        for inner in layer.below():
            for weight in self._weights_of(inner):
                if weight.name not in self._attached:
                    self._attached.add(weight.name)
                    for _, tensor in tensors_of(result.structure):
                        source = Tensor(self._variables[weight.name], True)
                        self.edge(source, tensor.node, Edge.UNKNOWN)

    def _model_call(
        self, model: LayerConfig, name: str, args: tuple[object, ...], context: _Context
    ) -> Result | None:
        calls = self._calls_of(model)
        fed = None if calls is None or len(args) != 1 else inputs_fed(calls.inputs, args[0])
        if calls is None or fed is None:
            return None
        values = {(layer, 0): Result(tensor) for layer, tensor in fed.items()}
        return self._inside(
            model, calls, values, _Context(f"{context.scope}{name}/", context.training)
        )

    def _bidirectional(
        self,
        layer: LayerConfig,
        name: str,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        context: _Context,
    ) -> Result | None:
        """Call the layer inside forwards and its twin backwards, and merge what they return."""
        if len(layer.parts.get("layer", ())) != 1:
            return None
        forward = layer.parts["layer"][0]
        backward = next(iter(layer.parts.get("backward_layer", ())), None)
        states = count_of_states(forward)
        if states is None:
            return None
        used: Mapping[int, str | None] = dict.fromkeys(range(1 + states))
        within = _Context(f"{context.scope}{name}/", context.training)
        ahead_kwargs, back_kwargs = halves(args, kwargs)
        args = args[:1]
        back_weights = [] if backward is not None else self._backward_weights(layer, forward)
        self._apart = {weight.name for weight in back_weights}
        self._attached |= self._apart
        ahead = self._layer(forward, forward.name, args, ahead_kwargs, used=used, context=within)
        self._apart = set()
        flat = [tensor for _, tensor in tensors_of(ahead.structure)]
        if backward is not None:
            other = self._layer(
                backward, backward.name, args, back_kwargs, used=used, context=within
            )
            back = [tensor for _, tensor in tensors_of(other.structure)]
            kind = Edge.FLOW
        else:
            tensors = [tensor for _, tensor in tensors_of((*args, back_kwargs))]
            back = self._twin(forward, f"{within.scope}backward", tensors, 1 + states)
            kind = self._kind_of_twin(forward)
        if len(flat) != len(back):
            return None
        merge = layer.options.get("merge_mode", "concat")
        first: list[Tensor] = [flat[0], back[0]]
        if merge is not None:
            node = self.layer_node(f"{context.scope}{name}", layer)
            for tensor in first:
                self.edge(tensor, node, Edge.FLOW)
            first = [Tensor(node, True)]
        for weight in back_weights:
            for tensor in back:
                self.edge(Tensor(self._variables[weight.name], True), tensor.node, kind)
        outputs = [*first, *flat[1:], *back[1:]]
        return Result(outputs if len(outputs) > 1 else outputs[0])

    def _twin(
        self, forward: LayerConfig, name: str, tensors: Sequence[Tensor], count: int
    ) -> list[Tensor]:
        """Return what the copy of ``forward`` returns that runs backwards, and that Keras makes
        itself."""
        kind = self._kind_of_twin(forward)
        results = []
        for number in range(count):
            node = self.layer_node(numbered(name, number), forward)
            for tensor in tensors:
                self.edge(tensor, node, kind)
            results.append(Tensor(node, True))
        return results

    def _kind_of_twin(self, forward: LayerConfig) -> Edge:
        """Return how gradient passes a copy of ``forward``."""
        is_sure = True
        for layer in cells_of(forward) or [forward]:
            key = layer_key(layer)
            known = (
                None if key is None else behaviour(key, layer_options(layer), Call(), training=True)
            )
            is_sure &= known is not None and not any(passage.steps for passage in known.passages)
        return Edge.FLOW if is_sure else Edge.UNKNOWN

    def _backward_weights(self, layer: LayerConfig, forward: LayerConfig) -> list[Weight]:
        """Return the weights of the layer that Keras makes to run backwards.

        An archive has them under the wrapper itself; an HDF5 file has those of both layers under
        the one that is described, with ``forward_`` and ``backward_`` in their names.
        """
        weights = list(self._weights_of(layer))
        for inner in forward.below():
            weights += [weight for weight in self._weights_of(inner) if _is_backward(weight)]
        return weights

    def _recurrent(
        self,
        layer: LayerConfig,
        name: str,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        context: _Context,
    ) -> Result | None:
        """Call the cells of an RNN one after the other."""
        cells = cells_of(layer)
        if not cells or not args:
            return None
        within = _Context(f"{context.scope}{name}/", context.training)
        rest = [tensor for _, tensor in tensors_of((*args[1:], kwargs))]
        first = [tensor for _, tensor in tensors_of(args[0])]
        states: list[Tensor] = []
        for cell in cells:
            key = layer_key(cell)
            known = None
            if key is not None:
                tensors = Call(((0,), (1,)))
                known = behaviour(key, layer_options(cell), tensors, training=context.training)
            if known is None:
                return None
            count = 1 + states_of_cell(cell)
            used: Mapping[int, str | None] = dict.fromkeys(range(count))
            result = self._by_table(
                cell, key or "", cell.name, (first, rest), {}, used=used, context=within
            )
            if result is None:
                return None
            flat = [tensor for _, tensor in tensors_of(result.structure)]
            first, states = flat[:1], [*states, *flat[1:]]
        if layer.options.get("return_state"):
            return Result([*first, *states])
        return Result(first[0])

    def _by_table(
        self,
        layer: LayerConfig,
        key: str,
        name: str,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        used: Mapping[int, str | None],
        context: _Context,
    ) -> Result | None:
        arguments = arguments_of(args, kwargs)
        known = behaviour(key, layer_options(layer), arguments.call, training=context.training)
        if known is None:
            return None
        weights = [(weight, self._variables[weight.name]) for weight in self._own_weights(layer)]
        self._attached.update(weight.name for weight, _ in weights)
        results = []
        for number in range(max(used, default=0) + 1):
            kind = known.output(number)
            if kind is None:
                return None
            dtype = used.get(number)
            is_floating = (
                is_floating_name(dtype)
                if dtype is not None
                else result_is_floating(kind, layer, arguments.tensors)
            )
            output = CallOutput(
                self, layer, numbered(f"{context.scope}{name}", number), number, is_floating
            )
            output.lay_out(known, arguments.tensors, weights, needs_cast=kind is Output.DTYPE)
            results.append(Tensor(output.node, is_floating))
        return Result(results if len(results) > 1 else results[0])

    def _unknown(
        self,
        layer: LayerConfig,
        context: _Context,
        name: str,
        tensors: Sequence[Tensor],
        count: int,
        used: Mapping[int, str | None] | None = None,
    ) -> Result:
        """Call a layer of which nothing is known."""
        node = self.layer_node(f"{context.scope}{name}", layer)
        for tensor in tensors:
            self.edge(tensor, node, Edge.UNKNOWN)
        for inner in layer.below():
            for weight in self._weights_of(inner):
                self._attached.add(weight.name)
                self.edge(Tensor(self._variables[weight.name], True), node, Edge.UNKNOWN)
        self._adding.append((node, False))
        results = []
        for number in range(count):
            dtype = (used or {}).get(number)
            results.append(Tensor(node, dtype is None or is_floating_name(dtype)))
        return Result(results if len(results) > 1 else results[0])

    def _own_weights(self, layer: LayerConfig) -> list[Weight]:
        """Return the weights that are described as those of ``layer``, and those of the layers in
        it."""
        weights: list[Weight] = []
        # The models inside a Merge of Keras 1 are called before it.
        for inner in [layer] if layer.is_model else layer.below():
            below = "/".join(part.name for part in inner.lineage()[len(layer.lineage()) :])
            for weight in self._weights_of(inner):
                if weight.name in self._apart:
                    continue
                path = f"{below}/{weight.path}" if below else weight.path
                weights.append(Weight(weight.name, layer, path))
        return weights

    def _weights_of(self, layer: LayerConfig) -> Iterator[Weight]:
        for twin in self._twins.get(layer, (layer,)):
            yield from self._weights.get(twin, ())

    def _calls_of(self, model: LayerConfig) -> ModelCalls | None:
        if model not in self._calls:
            self._calls[model] = None if layer_key(model) is None else read_calls(model)
        return self._calls[model]

    def node(self, name: str, op: str, layer: LayerConfig | None) -> int:
        """Add a node and return its number."""
        self._grow()
        self._labels.append(None if layer is None else self._names.get(layer, layer.name))
        return self._builder.node(name, op)

    def layer_node(self, name: str, layer: LayerConfig) -> int:
        """Add a node for what a call of ``layer`` returns.

        A class that has the name of a TensorFlow op (``Softmax``) is not taken for that op.
        """
        kind = layer.class_name or "Layer"
        return self.node(name, kind if spec(kind) is None else f"{kind} layer", layer)

    def edge(self, source: Tensor, consumer: int, kind: Edge) -> None:
        """Add an edge; one from a tensor that is not floating is none for gradient."""
        self._grow()
        self._builder.edge(source.node, consumer, kind if source.floating else Edge.DISCRETE)

    def _grow(self) -> None:
        self._size += 1
        if self._size > MAX_SIZE:
            raise UnreadableError(
                f"the model {self._model.name!r} grows beyond {MAX_SIZE:,} nodes and edges when the"
                " models inside it are laid out",
                "they call each other too often to be analysed",
            )


def _adds_loss(key: str, layer: LayerConfig) -> bool | None:
    """Return whether a layer adds a loss of what it gives: None for no, False where the regularizer
    is not Keras's own, so that nobody can tell what it does."""
    if key == "ActivityRegularization":
        return True if layer.options.get("l1") or layer.options.get("l2") else None
    regularizer = layer.options.get("activity_regularizer")
    return is_own_regularizer(regularizer) if regularizer else None


def _outputs(calls: ModelCalls | None, result: Result, model: LayerConfig) -> Iterator[Arrival]:
    """Name the outputs of the model as Keras does: by the keys of a dict, else by the layers that
    make them."""
    flat = [tensor for _, tensor in tensors_of(result.structure)]
    described = [] if calls is None else [tensor for _, tensor in tensors_in(calls.outputs)]
    names = [tensor.layer.name for tensor in described]
    if isinstance(result.structure, Mapping):
        names = sorted(result.structure)
    if len(names) != len(flat):
        names = [f"output_{number}" for number in range(len(flat))]
        if len(flat) == 1 and calls is None:
            names = [model.name]
    counts: Counter[str] = Counter()
    for index, (name, tensor) in enumerate(zip(names, flat, strict=True)):
        counts[name] += 1
        unique = name if counts[name] == 1 else f"{name}_{counts[name] - 1}"
        owner = described[index].layer if len(described) == len(flat) else None
        dtype = compute_dtype(owner) if owner is not None else None
        if dtype is None or is_floating_name(dtype) != tensor.floating:
            dtype = "float32" if tensor.floating else "int64"
        yield Arrival(unique, tensor.node, tensor.floating, dtype)


def _twins(model: LayerConfig) -> Mapping[LayerConfig, Sequence[LayerConfig]]:
    """Return, for each layer that is described in several places, all that describe it."""
    groups: dict[int, list[LayerConfig]] = {}
    for layer in model.below():
        number = layer.described.get("shared_object_id")
        if number is None:
            number = layer.options.get("shared_object_id")
        if type(number) is int:
            groups.setdefault(number, []).append(layer)
    return {layer: group for group in groups.values() if len(group) > 1 for layer in group}


def _batch_shape(layer: LayerConfig) -> tuple[int | None, ...]:
    for key in ("batch_shape", "batch_input_shape"):
        shape = layer.options.get(key)
        if isinstance(shape, list) and all(size is None or type(size) is int for size in shape):
            return tuple(shape)
    return ()


def _is_backward(weight: Weight) -> bool:
    return any(part.startswith("backward_") for part in weight.name.split("/"))

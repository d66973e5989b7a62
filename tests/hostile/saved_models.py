"""SavedModels that touch a marker file: when they are loaded, called or differentiated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import tensorflow as tf

Maker = Callable[[Path, str], None]
"""Makes the model in a folder; the second argument is the marker file."""
_SPEC = tf.TensorSpec([None, 3], tf.float32)


class Model(tf.Module):
    """One weight, and a call that does ``before`` first."""

    def __init__(self, before: Callable[[tf.Tensor], tf.Tensor] = lambda x: x) -> None:
        super().__init__()
        self.weight = tf.Variable(tf.ones([3, 2]), name="weight")
        self._before = before

    @tf.function(input_signature=[_SPEC])
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(self._before(x), self.weight)


def save(model: tf.Module, folder: Path, **options: object) -> None:
    """Save with the call as the default signature."""
    given = tf.saved_model.SaveOptions(**options)
    tf.saved_model.save(
        model, str(folder), signatures=model.__call__.get_concrete_function(), options=given
    )


class Resource(tf.saved_model.experimental.TrackableResource):
    """Does something when it is initialised, which is when the model is loaded."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def _create_resource(self) -> tf.Tensor:
        return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

    def _initialize(self) -> None:
        self._act()


def _after(act: Callable[[], object], x: tf.Tensor) -> tf.Tensor:
    done = act()
    with tf.control_dependencies([done] if done is not None else []):
        return tf.identity(x)


def write(mark: str) -> Callable[[], object]:
    """An act that writes the marker."""
    return lambda: tf.io.write_file(mark, "x")


def at_load(folder: Path, mark: str) -> None:
    model = Model()
    model.resource = Resource(write(mark))
    save(model, folder)


def printed_at_load(folder: Path, mark: str) -> None:
    model = Model()
    model.resource = Resource(lambda: tf.print("x", output_stream=f"file://{mark}"))
    save(model, folder)


def in_a_call(folder: Path, mark: str) -> None:
    save(Model(lambda x: _after(write(mark), x)), folder)


def printed_in_a_call(folder: Path, mark: str) -> None:
    save(Model(lambda x: _after(lambda: tf.print("x", output_stream=f"file://{mark}"), x)), folder)


def two_functions_deep_in_a_branch(folder: Path, mark: str) -> None:
    inner = tf.function(lambda x: _after(write(mark), x))
    outer = tf.function(lambda x: inner(x) + 1.0)
    save(Model(lambda x: tf.cond(tf.size(x) > 0, lambda: outer(x), lambda: x)), folder)


def in_a_loop(folder: Path, mark: str) -> None:
    def body(i: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return i + 1, _after(write(mark), x)

    save(Model(lambda x: tf.while_loop(lambda i, _: i < 2, body, [0, x])[1]), folder)


def in_the_backward_pass(folder: Path, mark: str) -> None:
    @tf.custom_gradient
    def same(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return tf.identity(x), lambda upstream: _after(write(mark), upstream)

    class Behind(Model):
        @tf.function(input_signature=[_SPEC])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            return same(tf.matmul(x, self.weight))

    save(Behind(), folder, experimental_custom_gradients=True)


def as_a_checkpoint(folder: Path, mark: str) -> None:
    def act() -> object:
        names, slices = ["weight"], [""]
        return tf.raw_ops.SaveV2(
            prefix=mark, tensor_names=names, shape_and_slices=slices, tensors=[tf.ones([2])]
        )

    save(Model(lambda x: _after(act, x)), folder)


def as_a_summary(folder: Path, mark: str) -> None:
    def act() -> object:
        writer = tf.raw_ops.SummaryWriter(shared_name="w", container="")
        made = tf.raw_ops.CreateSummaryFileWriter(
            writer=writer, logdir=mark, max_queue=1, flush_millis=1, filename_suffix=""
        )
        with tf.control_dependencies([made] if made is not None else []):
            return tf.raw_ops.FlushSummaryWriter(writer=writer)

    save(Model(lambda x: _after(act, x)), folder)


def as_a_debug_dump(folder: Path, mark: str) -> None:
    def act() -> object:
        return tf.raw_ops.DebugIdentityV2(
            input=tf.ones([2]),
            tfdbg_context_id="c",
            op_name="o",
            output_slot=0,
            tensor_debug_mode=8,
            debug_urls=[f"file://{mark}"],
        )

    save(Model(lambda x: _after(act, x)), folder)


def as_a_debug_summary(folder: Path, mark: str) -> None:
    def act() -> object:
        return tf.raw_ops.DebugNumericSummary(
            input=tf.ones([2]), tensor_name="a:0", debug_urls=[f"file://{mark}"]
        )

    save(Model(lambda x: _after(act, x)), folder)


def by_a_graph_in_a_string(folder: Path, mark: str) -> None:
    """The model holds a graph that no list of its nodes and functions has."""
    with tf.Graph().as_default() as hidden:
        with tf.control_dependencies([tf.io.write_file(mark, "x")]):
            stop = tf.identity(tf.constant(3, tf.int64))
        zero, one = tf.constant(0, tf.int64), tf.constant(1, tf.int64)
        numbers = tf.raw_ops.RangeDataset(
            start=zero, stop=stop, step=one, output_types=[tf.int64], output_shapes=[[]]
        )
    graph = hidden.as_graph_def()
    result = graph.node.add(name="result", op="_Retval", input=[numbers.op.name])
    result.attr["T"].type, result.attr["index"].i = tf.variant.as_datatype_enum, 0
    text = graph.SerializeToString()

    def run(x: tf.Tensor) -> tf.Tensor:
        # Else it is folded, which fails.
        nothing = tf.strings.substr(tf.strings.as_string(x[0, 0]), 0, 0)
        numbers = tf.raw_ops.DatasetFromGraph(graph_def=tf.strings.join([text, nothing]))
        return x + tf.cast(tf.raw_ops.DatasetCardinality(input_dataset=numbers), tf.float32)

    save(Model(run), folder)


def by_the_main_op(folder: Path, mark: str) -> None:
    """TensorFlow 1 runs this op after loading."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        weight = v1.get_variable("weight", initializer=tf.ones([3, 2]), use_resource=True)
        y = tf.matmul(x, weight)
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        signature = v1.saved_model.signature_def_utils.predict_signature_def({"x": x}, {"y": y})
        act = tf.group(write(mark)())
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=act
        )
        builder.save()


HARMFUL: Mapping[str, Maker] = MappingProxyType(
    {
        one.__name__: one
        for one in (
            at_load,
            printed_at_load,
            in_a_call,
            printed_in_a_call,
            two_functions_deep_in_a_branch,
            in_a_loop,
            in_the_backward_pass,
            as_a_checkpoint,
            as_a_summary,
            as_a_debug_dump,
            as_a_debug_summary,
            by_a_graph_in_a_string,
            by_the_main_op,
        )
    }
)
"""By name; each touches its marker where it is loaded and stepped by TensorFlow alone."""

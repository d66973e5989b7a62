"""Name each part of TensorFlow's private API that gradflow uses, in this file alone.

Checked on TensorFlow 2.16.1 and 2.21.0. Nothing public does what these do; a TensorFlow that has
moved one of them fails here, at import, and not in the middle of an analysis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.core.function.polymorphism import function_cache
from tensorflow.python import pywrap_tfe
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.eager import backprop, context, core, execute, record
from tensorflow.python.eager.polymorphic_function import (
    concrete_function,
    function_context,
    polymorphic_function,
)
from tensorflow.python.framework import (
    dtypes,
    func_graph,
    op_callbacks,
    op_def_registry,
    ops,
    tensor_util,
)
from tensorflow.python.ops import gradients_util, resource_variable_ops, script_ops
from tensorflow.python.saved_model import loader_impl, revived_types
from tensorflow.python.trackable import autotrackable
from tensorflow.python.training import optimizer
from tensorflow.python.util import tf_stack

gradient_registry = ops.gradient_registry
"""The gradient function of each op type, also of custom libraries that were loaded; its ``lookup``
raises LookupError where there is none, and returns None for NotDifferentiable."""
gradient_entries: dict[str, Any] = ops.gradient_registry._registry
"""What the registry holds, by op type."""
op_def_of = op_def_registry.get
"""The OpDef of an op type, also of custom libraries that were loaded; None where there is none."""
EagerTensor = ops.EagerTensor
EagerTensorBase = ops._EagerTensorBase
"""Its base class: ``_numpy`` is what ways out of TensorFlow call (``numpy()``, ``float()``)."""
python_functions = script_ops
"""``py_func_common`` is called by ``tf.numpy_function``; it reads tensors as NumPy reads memory,
which calls no method of theirs."""
FuncGraph = func_graph.FuncGraph
"""``_create_op_internal`` is called for each op of a traced function, ``_functions`` holds the
functions that it calls."""
func_graph_from_py_func = func_graph.func_graph_from_py_func
MockOp = backprop._MockOp
"""What a gradient function gets in place of the op when TensorFlow runs eagerly."""
make_ndarray = tensor_util.MakeNdarray
"""The array that a TensorProto holds."""
saved_model_loading = loader_impl
"""``parse_saved_model`` reads the file for all that loads a SavedModel."""
SavedModelLoader = loader_impl.SavedModelLoader
"""Loads a graph of TensorFlow 1 without its variables. What is public restores them as soon as it
has the graph, and a graph that was run once cannot be given the gradient of a While any more: that
adds outputs to the loop itself."""
AutoTrackable = autotrackable.AutoTrackable
"""The class of an object that a SavedModel holds."""
register_revived_type = revived_types.register_revived_type
RevivedVersion = revived_types.VersionedTypeRegistration
revived_entries: dict[str, Any] = revived_types._REVIVED_TYPE_REGISTRY
revived_identifiers: list[str] = revived_types._TYPE_IDENTIFIERS
"""The types that objects of a SavedModel are loaded as; to take one out again, both are needed."""
BaseResourceVariable = resource_variable_ops.BaseResourceVariable
"""The class of all variables; ``_handle`` is the resource that its ops take."""
ResourceVariable = resource_variable_ops.ResourceVariable
"""That of one device, also inside of the scope of a strategy, where ``tf.Variable`` is another."""
GradientTape = backprop.GradientTape
"""``_push_tape`` and ``_pop_tape`` begin and end what it records, whoever asks for that."""
tape_record = record
"""``record_operation`` puts a gradient of the user's own on the tapes (``tf.custom_gradient``)."""
graph_gradients = gradients_util
"""``_GradientsHelper`` is all of ``tf.gradients``; TensorFlow's own calls give ``src_graph``."""
Function = polymorphic_function.Function
"""What ``tf.function`` returns; ``_python_function`` and ``_autograph`` are what it traces."""
ConcreteFunction = concrete_function.ConcreteFunction
"""A trace; ``_call_flat`` runs it."""
FunctionCache = function_cache.FunctionCache
"""The traces of a ``tf.function``; ``add`` and ``delete`` take them in and out."""
FunctionContext = function_cache.FunctionContext
"""What a trace was made under, by which it is found again: ``context`` and ``scope_type``."""
function_contexts = function_context
"""``make_function_context`` says what a call is made under."""
TracingDetectors = polymorphic_function._FrequentTracingDetectorManager
"""``called_with_tracing`` warns of functions that are traced again and again."""
eager_context = context.context
"""``_seed`` and ``_rng`` are what ops take their seeds from, ``_set_global_seed`` begins anew."""
OldOptimizer = optimizer.Optimizer
"""``tf.compat.v1.train.Optimizer``."""
fast_ops = pywrap_tfe
"""``TFE_Py_FastPathExecute`` runs an eager op. It reads a variable among the inputs by itself, and
no callback hears of that; where it raises ``SlowPathError``, Python reads the variable first."""
SlowPathError = core._FallbackException
extract_stack = tf_stack.extract_stack
"""The stack of the caller, with the user's lines in place of those that AutoGraph made of them."""
add_op_callback = op_callbacks.add_op_callback
"""The callback hears of each eager op of this thread, and of each op of a graph that is traced."""
remove_op_callback = op_callbacks.remove_op_callback


@contextmanager
def functions_as_traced() -> Iterator[None]:
    """Run functions in this thread as they were traced: to optimize a graph that is run once takes
    longer than to run it. Where the user has chosen optimizations, they stay: mixed precision is
    one of them."""
    here = context.context()
    options = here.function_call_options
    config = type(here.config).FromString(options.config_proto_serialized)
    if not any(tf.config.optimizer.get_experimental_options().values()):
        config.graph_options.rewrite_options.disable_meta_optimizer = True
    here.function_call_options = type(options)(options.executor_type, config)
    try:
        yield
    finally:
        here.function_call_options = options


@contextmanager
def without_op_callbacks() -> Iterator[None]:
    """Call none of the callbacks of this thread: for each op of a graph that is traced, TensorFlow
    writes out its definition for them."""
    here = context.context()
    callbacks = list(here.op_callbacks)
    for callback in callbacks:
        here.remove_op_callback(callback)
    try:
        yield
    finally:
        for callback in callbacks:
            here.add_op_callback(callback)


def function_definition(name: str) -> Any | None:
    """Return the FunctionDef that an eager op of this type calls; None where it calls none."""
    here = context.context()
    return here.get_function_def(name) if here.has_function(name) else None


def all_op_defs() -> bytes:
    """Return the OpDefs of all ops of this TensorFlow, as an ``OpList`` that is written out."""
    return bytes(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))


def run_op(op: str, outputs: int, inputs: Sequence[Any], attrs: Sequence[Any]) -> Sequence[Any]:
    """Run one op by its type, eagerly.

    Args:
        op: its type.
        outputs: how many tensors it gives.
        inputs: the tensors that it takes.
        attrs: name, value, name, value, ...
    """
    results: Sequence[Any] = execute.execute(
        op.encode(), outputs, inputs=inputs, attrs=attrs, ctx=context.context(), name=None
    )
    return results


def held_by(handle: Any) -> tuple[tuple[int, ...] | None, Any]:
    """Return the shape and the type of what the variable of an eager ``handle`` holds; a shape of
    None where the handle does not know."""
    held = getattr(getattr(handle, "_handle_data", None), "shape_and_type", ())
    if not held:
        return None, handle.dtype
    return tuple(dim.size for dim in held[0].shape.dim), dtypes.as_dtype(held[0].dtype)

"""What the scan lets in of Keras is there to compute."""

from __future__ import annotations

import inspect

import pytest

from gradflow.scan.keras.allowed_names import Kind, named
from gradflow.scan.keras.config import strange_objects

SOURCES = (
    "keras.src.activations keras.src.backend keras.src.initializers keras.src.layers "
    "keras.src.legacy.backend "
    "keras.src.legacy.preprocessing.text keras.src.losses keras.src.metrics keras.src.ops "
    "keras.src.random "
    "keras.src.regularizers keras.src.utils.numerical_utils keras.src.constraints "
    "keras.src.utils.module_utils"
).split()
"""Modules of Keras whose functions compute."""


@pytest.mark.tensorflow
def test_of_all_public_functions_those_that_compute_are_let_in() -> None:
    """The table goes by names: a function elsewhere in Keras may have one of them."""
    from keras.src.api_export import REGISTERED_NAMES_TO_OBJS

    odd = []
    for path, function in REGISTERED_NAMES_TO_OBJS.items():
        module, _, name = path.rpartition(".")
        threats = strange_objects(
            {"class_name": "function", "module": module, "config": name}, "config.json", ()
        )
        home = getattr(function, "__module__", "")
        if not list(threats) and (inspect.isclass(function) or not home.startswith(tuple(SOURCES))):
            odd.append((path, home))

    assert len(REGISTERED_NAMES_TO_OBJS) > 500
    assert odd == []


@pytest.mark.tensorflow
def test_of_all_public_classes_the_parts_of_models_are_let_in() -> None:
    import keras
    from keras.src.api_export import REGISTERED_NAMES_TO_OBJS
    from keras.src.legacy.losses import Reduction
    from keras.src.saving.keras_saveable import KerasSaveable

    parts = (
        *(
            KerasSaveable,
            keras.Function,
            keras.InputSpec,
            keras.Initializer,
            keras.Regularizer,
            keras.Quantizer,
        ),
        *(
            keras.constraints.Constraint,
            keras.DTypePolicy,
            keras.dtype_policies.DTypePolicyMap,
            Reduction,
        ),
        *(keras.optimizers.schedules.LearningRateSchedule, keras.quantizers.QuantizationConfig),
        *(keras.random.SeedGenerator, keras.optimizers.OptimizerMap),
    )
    odd = []
    for path, value in REGISTERED_NAMES_TO_OBJS.items():
        module, _, name = path.rpartition(".")
        # keras.optimizers.legacy only says that it is gone.
        if (
            not inspect.isclass(value)
            or issubclass(value, parts)
            or module == "keras.optimizers.legacy"
        ):
            continue
        if not list(
            strange_objects({"class_name": name, "module": module, "config": {}}, "config.json", ())
        ):
            odd.append(path)

    assert odd == []


def test_what_is_known_to_do_more_than_to_compute_is_denied() -> None:
    harmful = "TFSMLayer TorchModuleWrapper JaxLayer FlaxLayer WhileLoop Map"
    assert [
        name
        for name in harmful.split()
        if (one := named(Kind.CLASS, name)) is None or one.is_allowed
    ] == []

    harmful = (
        "get_file load_data load_model set_floatx custom_gradient map vectorized_map "
        "deserialize get exec eval"
    )
    assert [name for name in harmful.split() if named(Kind.FUNCTION, name) is not None] == []


def test_what_models_are_made_of_is_allowed() -> None:
    harmless = (
        "Dense Conv2D BatchNormalization LSTM Bidirectional TimeDistributed Embedding "
        "TextVectorization StringLookup "
        "Functional Sequential Model InputLayer Lambda Add Matmul GlorotUniform L2 MaxNorm Adam "
        "AdamW Huber AUC "
        "DTypePolicy Policy SeedGenerator CosineDecay TFOpLambda MultiHeadAttention GetItem Einsum "
        "Normalization"
    )
    assert [
        name
        for name in harmless.split()
        if (one := named(Kind.CLASS, name)) is None or not one.is_allowed
    ] == []

    harmless = "relu softmax gelu mean_squared_error binary_crossentropy matmul add stop_gradient"
    assert [name for name in harmless.split() if named(Kind.FUNCTION, name) is None] == []

"""Every thread of users that gradflow is to answer, and where the answer key holds it.

The numbers are those of the project's list of scenarios. ``function`` is a case of
``tests.models.functions``, ``keras`` one of ``tests.models.keras_key``, ``flags`` one of
``tests.models.flags``, ``test`` a test of its own; ``unseen`` says why no file can show it.
"""

from __future__ import annotations

from dataclasses import dataclass

LAST = 59


@dataclass(frozen=True, slots=True)
class Covered:
    """Where one scenario is held."""

    function: tuple[str, ...] = ()
    keras: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    """Path of a test file, ``::``, and the test's name."""
    unseen: str = ""


SCENARIOS: dict[int, Covered] = {
    1: Covered(keras=("cast_as_a_threshold", "weight_that_its_layer_forgets")),
    2: Covered(keras=("rounded_between_layers",)),
    3: Covered(test=("tests/tables/test_op_gradients.py::test_every_op_has_a_row",)),
    4: Covered(keras=("three_heads_of_which_two_are_cut",), function=("two_cuts_in_a_row",)),
    5: Covered(function=("unused",), keras=("weight_that_its_layer_forgets",)),
    6: Covered(keras=("argmax_in_the_middle", "argmax_cast_in_the_middle")),
    7: Covered(
        keras=("the_whole_output_rounded_by_keras",), function=("the_whole_output_rounded",)
    ),
    8: Covered(keras=("the_whole_output_floored",), function=("a_floored_sigmoid",)),
    9: Covered(keras=("cast_as_a_threshold",), function=("cast_to_integer_and_back",)),
    10: Covered(
        keras=("argmax_cast_in_the_middle",), function=("argmax_cast_back", "argmax_to_one_hot")
    ),
    11: Covered(
        keras=("numpy_in_the_first_layer",),
        function=("computed_by_numpy", "computed_by_python_on_a_tape"),
    ),
    12: Covered(unseen="the loss is outside of the model: the README says so under Limits"),
    13: Covered(keras=("argmax_as_the_output",)),
    14: Covered(
        test=(
            "tests/agreement/test_special_files.py::test_an_op_of_a_foreign_library_is_named_by_a_static_reading",
            "tests/agreement/test_special_files.py::test_an_op_of_a_foreign_library_is_named_by_a_static_reading",
        ),
        function=("op_without_a_gradient", "several_ops_without_a_gradient"),
    ),
    15: Covered(keras=("stop_gradient_in_a_lambda_layer", "everything_behind_a_stop_gradient")),
    16: Covered(keras=("two_stop_gradients_in_a_row",), function=("stop_gradient",)),
    17: Covered(keras=("one_of_two_towers_detached", "stop_gradient_on_one_of_two_ways")),
    18: Covered(keras=("one_of_two_towers_detached",)),
    19: Covered(keras=("pooler_whose_output_nobody_asks_for",)),
    20: Covered(
        test=(
            "tests/agreement/test_keras_key.py::test_many_weights_behind_one_cut_are_one_finding",
        )
    ),
    21: Covered(keras=("two_heads_of_which_one_is_asked_for",)),
    22: Covered(keras=("weight_that_its_layer_forgets", "one_of_two_towers_detached")),
    23: Covered(keras=("loss_computed_in_a_layer", "loss_in_a_layer_of_rounded_predictions")),
    24: Covered(keras=("weight_that_its_layer_forgets",)),
    25: Covered(keras=("weight_that_its_layer_forgets",)),
    26: Covered(
        keras=("weight_that_is_used_in_training_alone",),
        function=("variable_of_a_branch_that_python_never_traced",),
    ),
    27: Covered(flags=("raw_variable_is_an_attribute_of_a_layer", "lambda_captures_a_variable")),
    28: Covered(function=("unused", "unused_output_of_a_function", "dead_relu")),
    29: Covered(flags=("submodel_is_frozen", "attention_is_frozen")),
    30: Covered(unseen="a file holds the flags as they were saved, not what was compiled before"),
    31: Covered(flags=("discriminator_is_frozen_in_the_gan_and_trained_alone",)),
    32: Covered(
        flags=("child_trains_under_a_frozen_parent", "child_of_a_frozen_model_does_not_train")
    ),
    33: Covered(flags=("batch_normalization_is_frozen",)),
    34: Covered(test=("tests/agreement/test_keras_key.py::test_the_mode_of_the_step_is_said",)),
    35: Covered(flags=("nothing_is_frozen",)),
    36: Covered(keras=("frozen_layer",)),
    37: Covered(flags=("submodel_is_frozen",)),
    38: Covered(flags=("flag_is_changed_after_building_and_compiling",)),
    39: Covered(test=("tests/cli/test_exit_codes.py::test_the_exit_code_of_a_step",)),
    40: Covered(
        test=(
            "tests/agreement/test_functions.py::test_a_file_saved_without_its_custom_gradients_says_so",
        ),
        function=("straight_through",),
    ),
    41: Covered(
        keras=("recurrent_layers_of_all_kinds", "masked_recurrent_layer"),
        function=("loop_with_trips",),
    ),
    42: Covered(
        test=(
            "tests/agreement/test_special_files.py::test_a_frozen_graph_is_said_to_hold_constants",
        )
    ),
    43: Covered(
        test=("tests/agreement/test_special_files.py::test_each_signature_has_its_own_answer",)
    ),
    44: Covered(
        test=(
            "tests/agreement/test_keras_key.py::test_the_exported_model_gets_its_true_verdicts_and_causes",
        )
    ),
    45: Covered(flags=("model_is_made_anew_from_json",)),
    46: Covered(
        keras=(
            "bias_before_batch_norm",
            "batch_norm_and_dropout",
            "weight_that_is_used_in_training_alone",
        )
    ),
    47: Covered(
        keras=("state_that_a_call_changes",),
        test=("tests/agreement/test_special_files.py::test_a_file_is_not_changed_by_the_step",),
    ),
    48: Covered(
        function=("stop_gradient_in_a_loop", "loop_without_trips", "loop_with_trips"),
        keras=("cell_that_stops_the_gradient", "loop_that_stops_the_gradient"),
    ),
    49: Covered(function=("branch_not_taken", "first_branch_not_taken"), keras=("way_not_taken",)),
    50: Covered(unseen="a second call of the same tape is a matter of the training loop"),
    51: Covered(
        test=(
            "tests/agreement/test_special_files.py::test_a_loop_of_tensorflow_1_gets_what_its_session_gives",
        )
    ),
    52: Covered(keras=("dead_relu_layer",), function=("dead_relu", "second_relu_dead")),
    53: Covered(
        function=("clip_with_a_bound_that_is_not_a_number",),
        keras=("saturated_relu_with_a_maximum",),
    ),
    54: Covered(keras=("dead_relu_as_the_output",)),
    55: Covered(
        function=(
            "pow_in_the_unselected_side",
            "log_in_the_unselected_side",
            "division_in_the_unselected_side",
        ),
        keras=("log_behind_a_where",),
    ),
    56: Covered(function=("norm_at_zero", "sqrt_at_zero"), keras=("length_of_a_vector_of_zeros",)),
    57: Covered(function=("clipped_by_norm_at_zero",)),
    58: Covered(function=("two_square_roots_at_zero", "every_weight_below_it")),
    59: Covered(function=("float16_underflow",), keras=("underflow_in_mixed_float16",)),
}

FALSE_ALARMS: dict[str, Covered] = {
    "bias before BatchNorm": Covered(
        keras=("bias_before_batch_norm", "bias_before_batch_norm_in_mixed_float16")
    ),
    "attention key bias": Covered(keras=("attention_key_bias",)),
    "LoRA": Covered(keras=("lora", "lora_as_it_is_loaded"), function=("low_rank_adapter",)),
    "zero-initialised head": Covered(
        keras=(
            "layers_under_a_zero_initialised_head",
            "residual_block_with_a_zero_initialised_gain",
        ),
        function=("zero_initialised_head",),
    ),
    "moving statistics and seeds": Covered(keras=("batch_norm_and_dropout",)),
    "stop_gradient on one of two paths": Covered(
        keras=("stop_gradient_on_one_of_two_ways",), function=("stop_gradient_on_one_of_two_paths",)
    ),
    "all-zero input": Covered(keras=("softmax_classifier",)),
    "sum of a softmax or LayerNorm": Covered(
        keras=("softmax_classifier", "layer_norm_as_the_output")
    ),
    "embedding": Covered(keras=("embedding",), function=("embedding_rows_that_are_looked_up",)),
}

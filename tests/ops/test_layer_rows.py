"""The layer table: looked up by class, configuration and call; what no row says is unknown."""

from gradflow.ops.layer_rows import Call, Kind, Output, behaviour, is_own_function, matches


def test_a_dense_layer_passes_gradient_to_its_input_and_its_weights() -> None:
    dense = behaviour("Dense", {"activation": "relu"}, Call(), training=True)
    assert dense is not None
    assert {0, "kernel", "bias"} <= {passage.source for passage in dense.passages}
    assert not any(passage.steps for passage in dense.passages)


def test_an_activation_of_ones_own_makes_what_goes_through_it_unknown() -> None:
    function = {"class_name": "function", "config": "mine", "registered_name": "pkg>mine"}
    dense = behaviour("Dense", {"activation": function}, Call(), training=True)
    assert dense is not None
    assert all(passage.steps[-1].kind is Kind.UNKNOWN for passage in dense.passages)


def test_a_function_is_kerass_own_by_its_name_and_where_it_is_registered() -> None:
    relu = {"class_name": "function", "config": "relu", "registered_name": "relu"}
    assert is_own_function(relu) and is_own_function("relu") and is_own_function(None)
    assert not is_own_function({**relu, "registered_name": "pkg>relu"})
    assert not is_own_function({**relu, "module": "mine"})


def test_what_no_row_says_is_unknown() -> None:
    assert behaviour("Strange", {}, Call(), training=True) is None
    quantized = {"dtype": {"class_name": "QuantizedDTypePolicy", "config": {}}}
    assert behaviour("Dropout", quantized, Call(), training=True) is None
    scores = Call(((0,), (1,)), {"return_attention_scores": "strange"})
    assert behaviour("MultiHeadAttention", {}, scores, training=True) is None


def test_an_argument_is_named_by_its_position_or_by_its_keyword() -> None:
    call = Call(((0,), ("value",), ("strange",)))
    attention = behaviour("MultiHeadAttention", {}, call, training=True)
    assert attention is not None
    sources = {passage.source for passage in attention.passages}
    assert {0, 1} < sources and 2 not in sources


def test_an_operation_says_where_floats_end() -> None:
    argmax = behaviour("ops.Argmax", {}, Call(), training=True)
    assert argmax is not None and argmax.output(0) is Output.INT and argmax.output(1) is None
    assert [(step.kind, step.op_type) for step in argmax.passages[0].steps] == [
        (Kind.DISCRETE, "ArgMax")
    ]


def test_a_pattern_of_weights_stands_for_one_name_or_for_any_path() -> None:
    assert matches("*/kernel", "lstm_cell/kernel") and matches("**", "a/b/c")
    assert not matches("*/kernel", "kernel") and not matches("kernel", "a/kernel")


def test_a_question_about_floats_is_answered_by_a_boolean() -> None:
    for name, op in (("is_nan", "IsNan"), ("is_inf", "IsInf"), ("is_finite", "IsFinite")):
        known = behaviour(f"tf.math.{name}", {}, Call(), training=True)
        assert known is not None and known.output(0) is Output.INT
        assert known.passages[0].steps[0].op_type == op

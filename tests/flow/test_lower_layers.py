"""Layers as a Keras file describes them: every form of their calls is read, and hard to hurt."""

from __future__ import annotations

from typing import Any

import pytest

from gradflow.errors import DamagedError, GradflowError, UnreadableError
from gradflow.files.keras.config import LayerConfig, read_config
from gradflow.flow.attribute import attribute
from gradflow.flow.lower import layers as lowering
from gradflow.flow.lower.call_output import Weight
from gradflow.flow.lower.layers import lower_layers
from gradflow.flow.lower.lowered_layers import LoweredLayers

Json = dict[str, Any]


def layer(class_name: str, name: str, nodes: list[Any], **config: object) -> Json:
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": name, "trainable": True, **config},
        "registered_name": None,
        "name": name,
        "inbound_nodes": nodes,
    }


def operation(class_name: str, name: str, nodes: list[Any]) -> Json:
    made = layer(class_name, name, nodes)
    return {**made, "module": "keras.src.ops.numpy", "config": {"name": name}}


def tensor(name: str, call: int = 0, output: int = 0, dtype: str = "float32") -> Json:
    history = [name, call, output]
    config = {"shape": [None, 4], "dtype": dtype, "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def called(*args: object, **kwargs: object) -> Json:
    return {"args": list(args), "kwargs": kwargs}


def model(name: str, layers: list[Json], inputs: Any, outputs: Any, nodes: Any = ()) -> Json:
    config = {"layers": layers, "input_layers": inputs, "output_layers": outputs}
    return layer("Functional", name, list(nodes), **config)


def lowered(described: Json) -> tuple[LayerConfig, LoweredLayers]:
    config = read_config(described, "m.keras")
    weights = [
        Weight(f"{inner.nested_name}/kernel", inner, "kernel")
        for inner in config.below()
        if inner.class_name == "Dense"
    ]
    return config, lower_layers(config, weights, training=True)


def cuts(described: Json, *outputs: str) -> dict[str, int | None]:
    """Return the cuts between each weight and the outputs."""
    _, made = lowered(described)
    ways = attribute(made.graph(outputs))
    return {name: way.cuts_to_restore for name, way in ways.items()}


X = layer("InputLayer", "x", [])


def test_keras_3_names_tensors_where_they_are_taken() -> None:
    a = layer("Dense", "a", [called(tensor("x")), called(tensor("a"))])
    b = layer("Dense", "b", [called(tensor("x"))])
    stop = operation("StopGradient", "stop", [called(tensor("b"))])
    add = operation("Add", "add", [called(tensor("a", 1), tensor("stop"))])

    assert cuts(model("m", [X, a, b, stop, add], [["x", 0, 0]], [["add", 0, 0]])) == {
        "a/kernel": 0,
        "b/kernel": 1,
    }


def test_keras_2_names_the_first_argument_and_keywords_beside_it() -> None:
    a = layer("Dense", "a", [[["x", 0, 0, {}]]])
    b = layer("Dense", "b", [[["x", 0, 0, {}]]])
    lonely = layer("Dense", "lonely", [[["x", 0, 0, {}]]])
    both = layer("Attention", "both", [[["a", 0, 0, {"mask": ["b", 0, 0]}]]])

    found = cuts(model("m", [X, a, b, lonely, both], [["x", 0, 0]], [["both", 0, 0]]))

    assert found["lonely/kernel"] is None
    assert found["a/kernel"] is not None and found["b/kernel"] is not None


@pytest.mark.parametrize("first", [0, 1])
def test_keras_2_counts_a_call_more_of_a_model_with_inputs(first: int) -> None:
    inner = model(
        "inner",
        [layer("InputLayer", "y", []), layer("Dense", "d", [[["y", 0, 0, {}]]])],
        [["y", 0, 0]],
        [["d", 0, 0]],
        [[["x", 0, 0, {}]], [["inner", first, 0, {}]]],
    )
    last = layer("Dense", "last", [[["inner", first + 1, 0, {}]]])

    assert cuts(model("m", [X, inner, last], [["x", 0, 0]], [["last", 0, 0]])) == {
        "inner/d/kernel": 0,
        "last/kernel": 0,
    }


def test_keras_3_counts_a_call_more_of_a_model_where_it_says_what_comes_out() -> None:
    inner = model(
        "inner",
        [layer("InputLayer", "y", []), layer("Dense", "d", [called(tensor("y"))])],
        {"y": ["y", 0, 0]},
        {"p": ["d", 0, 0], "q": ["y", 0, 0]},
        [called({"y": tensor("x")}), called({"y": tensor("inner", 0, 1)})],
    )
    outer = model("m", [X, inner], [["x", 0, 0]], {"b": ["inner", 2, 0], "a": ["inner", 2, 1]})
    _, made = lowered(outer)

    assert [output.name for output in made.outputs] == ["a", "b"]
    assert cuts(outer, "b") == {"inner/d/kernel": 0}
    assert cuts(outer, "a") == {"inner/d/kernel": None}


@pytest.mark.parametrize(("strength", "reached"), [(0.1, 0), (0.0, None)])
def test_what_a_layer_of_keras_adds_counts_beside_the_loss(
    strength: float, reached: int | None
) -> None:
    layers = [
        layer("Dense", "a", []),
        layer("ActivityRegularization", "sparse", [], l1=0.0, l2=strength),
    ]
    _, made = lowered(layer("Sequential", "s", [], layers=layers))

    assert attribute(made.graph_of_loss({}))["a/kernel"].cuts_to_restore == reached


OWN = {"module": "builtins", "class_name": "function", "config": "mine", "registered_name": "mine"}


@pytest.mark.parametrize(
    "regularizer", [OWN, "mine", {"module": "mine", "class_name": "L2", "config": {}}]
)
def test_an_activity_regularizer_of_ones_own_may_add_to_the_loss(regularizer: object) -> None:
    layers = [layer("Dense", "a", []), layer("Dense", "b", [], activity_regularizer=regularizer)]
    _, made = lowered(layer("Sequential", "s", [], layers=layers))
    graph = made.graph_of_loss({})
    assert attribute(graph)["a/kernel"].cuts_to_restore == 1
    assert attribute(graph.as_if_unknown_flowed())["a/kernel"].cuts_to_restore == 0


@pytest.mark.parametrize(
    "regularizer",
    ["l2", {"module": "keras.regularizers", "class_name": "L1L2", "config": {"l1": 0.1}}],
)
def test_an_activity_regularizer_of_keras_adds_to_the_loss(regularizer: object) -> None:
    layers = [layer("Dense", "a", [], activity_regularizer=regularizer), layer("Dense", "b", [])]
    _, made = lowered(layer("Sequential", "s", [], layers=layers))
    ways = attribute(made.graph_of_loss({}))
    assert ways["a/kernel"].cuts_to_restore == 0
    assert ways["b/kernel"].cuts_to_restore is None


@pytest.mark.parametrize(
    ("options", "hopeless", "hopeful"),
    [
        ({"activation": OWN}, 1, 0),
        ({"activation": "relu", "kernel_initializer": OWN, "bias_constraint": OWN}, 0, 0),
        ({"kernel_regularizer": OWN, "bias_regularizer": OWN}, 0, 0),
    ],
)
def test_what_is_ones_own_makes_just_its_own_edge_unknown(
    options: dict[str, object], hopeless: int, hopeful: int
) -> None:
    layers = [
        layer("Dense", "a", []),
        layer("Dense", "b", [], **options),
        layer("Dense", "c", []),
    ]
    _, made = lowered(layer("Sequential", "s", [], layers=layers))
    graph = made.graph([])
    ways, as_hoped = attribute(graph), attribute(graph.as_if_unknown_flowed())
    for name in ("a/kernel", "b/kernel"):
        assert ways[name].cuts_to_restore == hopeless
        assert as_hoped[name].cuts_to_restore == hopeful
    assert ways["c/kernel"].cuts_to_restore == 0


def test_a_gate_of_ones_own_leaves_the_other_way_through_an_lstm() -> None:
    layers = [layer("Dense", "a", []), layer("LSTM", "b", [], recurrent_activation=OWN)]
    assert cuts(layer("Sequential", "s", [], layers=layers)) == {"a/kernel": 0}
    layers[1]["config"]["activation"] = OWN
    assert cuts(layer("Sequential", "s", [], layers=layers)) == {"a/kernel": 1}


def test_a_model_may_be_called_by_the_keyword_of_its_inputs() -> None:
    inside = [layer("InputLayer", "y", []), layer("Dense", "d", [called(tensor("y"))])]
    inner = model("inner", inside, [["y", 0, 0]], [["d", 0, 0]], [called(inputs=tensor("x"))])
    outer = model("m", [X, inner], [["x", 0, 0]], [["inner", 1, 0]])
    assert cuts(outer) == {"inner/d/kernel": 0}


def test_code_inside_a_model_that_is_called_for_each_step_is_unknown() -> None:
    code = layer("Lambda", "code", [called(tensor("d"))], function=OWN)
    last = layer("Dense", "e", [called(tensor("code"))])
    inside = [layer("InputLayer", "y", []), layer("Dense", "d", [called(tensor("y"))]), code, last]
    inner = model("inner", inside, [["y", 0, 0]], [["e", 0, 0]])
    each = layer("TimeDistributed", "each", [called(tensor("x"))], layer=inner)
    outer = model("m", [X, each], [["x", 0, 0]], [["each", 0, 0]])
    assert cuts(outer) == {"each/inner/d/kernel": 1, "each/inner/e/kernel": 0}


def test_a_weight_that_stands_where_nothing_was_laid_out_is_unknown() -> None:
    cell = layer("GRUCell", "cell", [])
    rnn = layer("RNN", "rnn", [called(tensor("x"))], cell=cell)
    config = read_config(model("m", [X, rnn], [["x", 0, 0]], [["rnn", 0, 0]]), "m.keras")
    (described,) = (inner for inner in config.below() if inner.name == "rnn")
    made = lower_layers(config, [Weight("rnn/strange", described, "strange")], training=True)
    graph = made.graph([])
    assert attribute(graph)["rnn/strange"].cuts_to_restore == 1
    assert attribute(graph.as_if_unknown_flowed())["rnn/strange"].cuts_to_restore == 0


def test_a_sequential_calls_one_layer_after_the_other() -> None:
    layers = [layer("Dense", "a", []), layer("Flatten", "f", []), layer("Dense", "b", [])]

    assert cuts(layer("Sequential", "s", [], layers=layers)) == {"a/kernel": 0, "b/kernel": 0}


def test_a_class_of_nobody_knows_is_one_cut_that_may_be_none() -> None:
    a = layer("Dense", "a", [called(tensor("x"))])
    own = {**layer("Mine", "own", [called(tensor("a"))]), "registered_name": "mine>Mine"}
    b = layer("Dense", "b", [called(tensor("own"))])
    described = model("m", [X, a, own, b], [["x", 0, 0]], [["b", 0, 0]])

    assert cuts(described) == {"a/kernel": 1, "b/kernel": 0}
    _, made = lowered(described)
    hopeful = attribute(made.graph(()).as_if_unknown_flowed())
    assert hopeful["a/kernel"].cuts_to_restore == 0


def test_an_integer_output_is_a_passage() -> None:
    a = layer("Dense", "a", [called(tensor("x"))])
    argmax = operation("Argmax", "argmax", [called(tensor("a"))])
    look = layer("Embedding", "look", [called(tensor("argmax", dtype="int32"))])
    _, made = lowered(model("m", [X, a, argmax, look], [["x", 0, 0]], [["look", 0, 0]]))
    graph = made.graph(())
    (way,) = attribute(graph).values()

    assert way.cuts_to_restore == 1
    assert [(graph.ops[cut.node], cut.kind.name) for cut in way.causes] == [("ArgMax", "DISCRETE")]


NESTED: Any = tensor("x")
for _ in range(80):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        (
            [layer("Dense", "a", [called(tensor("a"))])],
            "the layer 'a' takes what comes from itself",
        ),
        (
            [layer("Dense", "a", [called(tensor("b"))])],
            "takes a tensor of a layer that is not there",
        ),
        ([layer("Dense", "a", [called(tensor("x")), called(tensor("a", 7))])], "is called 2 times"),
        ([layer("Dense", "a", [called(NESTED)])], "nested more than 60 deep"),
    ],
)
def test_a_damaged_call_is_one_line(layers: list[Json], says: str) -> None:
    described = model("m", [X, *layers], [["x", 0, 0]], [["a", 0, 0]])
    with pytest.raises(DamagedError, match=says) as raised:
        lowered(described)
    assert "\n" not in raised.value.message


def test_models_that_call_each_other_without_end_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lowering, "MAX_SIZE", 3_000)
    described = layer("Dense", "d", [called(tensor("y"))])
    for depth in range(14):
        twice = [called(tensor("y")), called(tensor(described["name"]))]
        inside = {**described, "inbound_nodes": twice}
        last = 2 if described["class_name"] == "Functional" else 1
        end = [[inside["name"], last, 0]]
        described = model(f"m{depth}", [layer("InputLayer", "y", []), inside], [["y", 0, 0]], end)

    with pytest.raises(UnreadableError, match="grows beyond"):
        lowered(described)


def test_models_inside_models_are_laid_out_to_any_depth_that_is_read() -> None:
    described = layer("Dense", "d", [called(tensor("y"))])
    for depth in range(90):
        end = [[described["name"], 1 if depth else 0, 0]]
        described = model(
            f"m{depth}", [layer("InputLayer", "y", []), described], [["y", 0, 0]], end
        )
        described["inbound_nodes"] = [called(tensor("y"))]
    try:
        found = list(cuts(described).values())
    except GradflowError as error:
        assert "nested too deeply" in error.message
    else:
        assert found == [0]

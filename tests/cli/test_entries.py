"""``--entry list``: what can be named, in text and JSON, without TensorFlow."""

from __future__ import annotations

import json

from tests.cli.command import HEALTHY, SAMPLES, apart, inspect, static


def test_entries_are_listed_with_their_inputs_outputs_and_weights() -> None:
    done = inspect("--entry", "list", HEALTHY, COLUMNS="400")
    assert done.code == 0
    head, _, default, inputs, outputs, *_ = done.stdout.splitlines()
    assert head.endswith("healthy_saved_model: 3 entries, 7 weights")
    assert default == "  serving_default (default)  uses 7 weights"
    assert inputs.startswith("    inputs: ")
    assert "float32[?," in inputs
    assert outputs.startswith("    outputs: output_0 float32[?,")


def test_the_list_is_the_same_with_static_and_imports_no_tensorflow() -> None:
    code = (
        "import sys\nfrom gradflow.cli import main\ntry:\n    main(prog_name='gradflow')\n"
        "finally:\n    assert 'tensorflow' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = apart("inspect", "--entry", "list", HEALTHY, code=code)
    assert (done.code, done.stderr) == (0, "")
    assert static("--entry", "list", HEALTHY).stdout == done.stdout


def test_the_list_as_json_marks_one_default() -> None:
    done = inspect("--entry", "list", "--format", "json", HEALTHY)
    answer = json.loads(done.stdout)
    assert answer["schema"] == "gradflow-entries-1"
    (model,) = answer["models"]
    assert [entry["name"] for entry in model["entries"] if entry["is_default"]] == [
        "serving_default"
    ]
    assert {entry["weights"] for entry in model["entries"]} == {7}


def test_a_keras_file_has_one_entry() -> None:
    done = inspect("--entry", "list", str(SAMPLES / "finetune.keras"))
    assert done.code == 0
    assert "one entry" in done.stdout


def test_a_file_that_cannot_be_read_is_told_and_does_not_lose_the_others() -> None:
    done = inspect("--entry", "list", "no_such_model", HEALTHY, COLUMNS="400")
    assert done.code == 2
    assert done.stdout.startswith(
        "no_such_model: could not be checked (GF901)\n  no such file or folder\n"
    )
    assert "healthy_saved_model: 3 entries" in done.stdout


def test_an_unknown_entry_names_the_known_ones_and_the_list() -> None:
    line = static("--entry", "nix", HEALTHY).failed_in_one_line()
    assert "has no entry 'nix'" in line
    assert "serving_default" in line

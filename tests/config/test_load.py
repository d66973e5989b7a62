"""gradflow.yaml and [tool.gradflow]: what they mean, and every problem at once with its line."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradflow.catalogue import series
from gradflow.config import find_config
from gradflow.config.load import ConfigError, load
from gradflow.config.parse import read_yaml
from gradflow.errors import GradflowError, UsageError
from gradflow.findings import Severity
from gradflow.options import InputSpec, Objective, Thresholds
from gradflow.policy import CutExpectation, Ignore

CONTRACT = """\
version: 1
defaults: {batch_size: 4, seed: 0, training: true, fail_on: warning}
models:
  - path: sample_models/finetune.keras
    name: finetune
    entry: serving_default                    # SavedModel only
    outputs: [head]
    objective: compiled
    imports: [mypackage.layers]
    inputs:
      ids:   {shape: [2, 16], dtype: int32, low: 0, high: 30522}
      image: {file: batch.npz, key: image}
    expect:
      frozen:    ["backbone/**"]              # these are frozen, and nothing else is
      trainable: ["head/**"]                  # these are trainable and their gradient flows
      cut:       [{variables: "encoder/**", by: StopGradient, reason: "target network"}]
    ignore:
      - {variables: "pooler/**", codes: [GF206], reason: "unused head", until: 2027-01-01}
    state: ["**/ema_*"]                       # weights to treat as state
    thresholds: {vanishing: 1e-6, exploding: 1e6}
"""


def written(folder: Path, text: str, name: str = "gradflow.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str, name: str = "gradflow.yaml") -> list[str]:
    """The problems, without the path in front of each."""
    path = written(folder, text, name)
    with pytest.raises(ConfigError) as error:
        load(path)
    lines = error.value.message.splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def test_every_key_means_what_the_interface_says(tmp_path: Path) -> None:
    (model,) = load(written(tmp_path, CONTRACT)).models

    assert (model.path, model.name, model.fail_on) == (
        str(tmp_path / "sample_models/finetune.keras"),
        "finetune",
        Severity.WARNING,
    )
    options, expected = model.options, model.expectations
    assert (options.entry, options.outputs, options.imports) == (
        "serving_default",
        ("head",),
        ("mypackage.layers",),
    )
    assert options.objective is Objective.COMPILED
    assert (options.batch_size, options.seed, options.training) == (4, 0, True)
    assert options.inputs == (
        InputSpec("ids", "int32", (2, 16), 30522),
        InputSpec("image", file=str(tmp_path / "batch.npz"), key="image"),
    )
    assert (options.state, options.thresholds) == (("**/ema_*",), Thresholds(1e-6, 1e6))
    assert (expected.frozen, expected.trainable) == (("backbone/**",), ("head/**",))
    file = tmp_path / "gradflow.yaml"
    assert expected.cut == (
        CutExpectation("encoder/**", "StopGradient", "target network", f"{file}:16"),
    )
    until = date(2027, 1, 1)
    assert expected.ignore == (Ignore("pooler/**", ("GF206",), "unused head", until, f"{file}:18"),)
    assert model.anchor is not None
    assert model.anchor.line == 4


def test_all_problems_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = """\
version: 2
defaults: {batch_size: 0, seed: 1e-6, trainig: true, fail_on: warn}
models:
  - path: a.keras
    nmae: x
    expect:
      frozen: "backbone/**"
      frozen: [a]
      cut: [{variables: "x", reason: "t"}]
    ignore:
      - {variables: "pooler/**", codes: [GF266], until: 2027-13-01}
    inputs: {x: {shape: [2], file: a.npy}}
  - name: a
  - 7
"""
    assert refused(tmp_path, text) == [
        "1: version: has to be 1, and is 2",
        "2: defaults.batch_size: has to be at least 1, and is 0",
        "2: defaults.fail_on: 'warn' is not allowed here: did you mean 'warning'?",
        "2: defaults.seed: has to be a whole number, and is a number: 1e-06",
        "2: defaults: unknown key 'trainig': did you mean 'training'?",
        "5: models[0]: unknown key 'nmae': did you mean 'name'?",
        '7: models[0].expect.frozen: has to be a list, and is a text: "backbone/**"',
        "8: key 'frozen' stands here a second time, after line 7",
        "9: models[0].expect.cut[0]: the key 'by' is missing",
        "11: models[0].ignore[0].codes[0]: 'GF266' is not allowed here: did you mean 'GF206'?",
        "11: models[0].ignore[0].until: '2027-13-01' is not a date: write 2027-01-31",
        "13: models[1]: the key 'path' is missing",
        "14: models[2]: has to be a mapping, and is a whole number: 7",
    ]


def test_a_pattern_that_takes_out_of_nothing_is_refused(tmp_path: Path) -> None:
    text = """\
models:
  - path: a.keras
    expect:
      frozen: ["!a/**", "b/**"]
      trainable: ["**", "!b/**"]
    ignore:
      - {variables: "!c/**"}
"""

    assert refused(tmp_path, text) == [
        "4: models[0].expect.frozen[0]: '!a/**' takes out of nothing: write it after what it "
        "narrows",
        "7: models[0].ignore[0].variables: '!c/**' takes out of nothing: only a list can hold it",
    ]


def test_a_code_that_is_left_open_is_told_its_range(tmp_path: Path) -> None:
    text = """\
models:
  - path: a.keras
    select: [GF3x]
    ignore:
      - {variables: "**", codes: [GF20x]}
"""

    assert refused(tmp_path, text) == [
        f"3: models[0].select[0]: 'GF3x' is not allowed here: did you mean {series('GF3x')}?",
        "5: models[0].ignore[0].codes[0]: 'GF20x' is not allowed here: did you mean GF201 to "
        "GF209?",
    ]


def test_a_model_is_trusted_by_an_entry_of_its_own(tmp_path: Path) -> None:
    text = (
        "defaults: {memory_limit: 8GB}\nmodels: [{path: a, trust: true}, {path: b, "
        "memory_limit: 1.5 GiB}]\n"
    )

    given = load(written(tmp_path, text))

    assert [(one.options.trust, one.options.memory_limit) for one in given.models] == [
        (True, 8_000_000_000),
        (False, 3 * 2**29),
    ]
    for_all, unknown = refused(
        tmp_path, "defaults:\n  trust: true\nmodels: [{path: a, trust: false, x: 1}]\n"
    )
    assert for_all == (
        "2: defaults: 'trust' is not for all models at once: write it to the entry of each whose "
        "file you trust"
    )
    assert unknown.startswith("3: models[0]: unknown key 'x': allowed are path, name, static, ")


@pytest.mark.parametrize(
    "size", ["8 gigs", "GB", "-1GB", "8", "50MB", "0GB", "1e3GB", "9999999999999TB"]
)
@pytest.mark.parametrize(
    "text", ["defaults: {{memory_limit: {}}}", "models: [{{path: a, memory_limit: {}}}]"]
)
def test_what_is_no_amount_of_memory_is_said_with_its_line(
    tmp_path: Path, size: str, text: str
) -> None:
    (line,) = refused(tmp_path, text.format(repr(size)))

    assert line.startswith("1: ")
    assert line.endswith(
        f"memory_limit: {size!r} is not an amount of memory: write it as 8GB or 500MB, at least "
        "100MB"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "models: [{path: a, inputs: {x: {shape: [2], file: a.npy}}}]",
            "has a file and a shape or range: give one",
        ),
        ("models: [{path: a, inputs: {x: {shape: [2]}}}]", "give shape and dtype, or a file"),
        (
            "models: [{path: a, inputs: {x: {key: k, shape: [2], dtype: int32}}}]",
            "has a key and no file",
        ),
        (
            "models: [{path: a, inputs: {x: {shape: [2], dtype: int32, low: 5, high: 5}}}]",
            "high has to be more than low",
        ),
        (
            "models: [{path: a, expect: {frozen: [x], trainable: [x]}}]",
            "'x' is expected to be frozen as well",
        ),
        (
            "models: [{path: a}, {path: a}]",
            "'a' is already in line 1: give each a name of its own",
        ),
        ("models: [{path: a, name: x}, {path: b, name: x}]", "'x' is already in line 1"),
        ("models: {path: a}", "models: has to be a list, and is a mapping"),
        ("models: [{path: ''}]", "models[0].path: is empty"),
        ("[1, 2]", "has to be a mapping, and is a list"),
        ("models: [*nobody]", "is not YAML"),
        ("models: [{path: a", "is not YAML"),
        (
            "models: [{path: !!python/object:os.system a}]",
            "tag tag:yaml.org,2002:python/object:os.system is not allowed",
        ),
        ("", "is empty: gradflow init MODEL writes one"),
    ],
)
def test_one_problem(tmp_path: Path, text: str, line: str) -> None:
    (only,) = refused(tmp_path, text)

    assert line in only
    assert only.startswith("1: ")


def test_the_same_model_may_stand_twice_under_two_names(tmp_path: Path) -> None:
    text = "models: [{path: m, name: serve, entry: serve}, {path: m, name: train, entry: train}]"

    assert [model.options.entry for model in load(written(tmp_path, text)).models] == [
        "serve",
        "train",
    ]


def test_words_are_those_of_yaml_1_2() -> None:
    tree = read_yaml(
        "{a: on, b: no, c: 1e-6, d: 2027-01-01, e: .5, f: true, g: ~, h: 010, i: 1_000}"
    )

    assert tree.value == {
        "a": "on",
        "b": "no",
        "c": 1e-6,
        "d": "2027-01-01",
        "e": 0.5,
        "f": True,
        "g": None,
        "h": 10,
        "i": "1_000",
    }


def test_an_alias_bomb_is_a_problem_and_no_wait(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    assert any("aliases inside aliases" in line for line in refused(tmp_path, "\n".join(lines)))


def test_a_glob_names_its_models_and_a_line_of_its_own_counts_more(tmp_path: Path) -> None:
    for name in ("b.keras", "a.keras", "c.h5"):
        (tmp_path / name).touch()
    text = (
        "models:\n  - path: '*.keras'\n    batch_size: 8\n  - path: a.keras\n    batch_size: "
        "2\n  - path: 'no*'\n"
    )

    models = load(written(tmp_path, text)).models

    assert [(Path(one.path).name, one.options.batch_size) for one in models] == [
        ("b.keras", 8),
        ("a.keras", 2),
        ("no*", 4),
    ]


def test_paths_are_shown_as_seen_from_where_the_command_runs(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "m.keras").touch()
    text = (
        f"models: [{{path: ../m.keras, name: a}}, {{path: '../*.h5'}}, "
        f"{{path: '{tmp_path}/*.keras'}}]"
    )

    plan = load(written(tmp_path / "configs", text))

    assert [model.path for model in plan.models] == [
        str(tmp_path / "m.keras"),
        str(tmp_path / "*.h5"),
    ]


def test_defaults_hold_for_models_that_do_not_say_otherwise(tmp_path: Path) -> None:
    text = (
        "defaults: {seed: 3, fail_on: error, expect: {frozen: [a]}}\nmodels: [{path: a}, {path: "
        "b, seed: 4}]"
    )
    plan = load(written(tmp_path, text))

    assert [model.options.seed for model in plan.models] == [3, 4]
    assert {model.fail_on for model in (*plan.models, plan.defaults)} == {Severity.ERROR}
    assert plan.defaults.expectations.frozen == ("a",)


TOML = """\
[project]
name = "x"

[tool.gradflow]
version = 1

[tool.gradflow.defaults]
batch_size = 2

[[tool.gradflow.models]]
path = "a.keras"
expect.frozen = ["backbone/**"]

[[tool.gradflow.models]]
path = "b.keras"
thresholds = {vanishing = 1e-6}
"""


def test_toml_says_the_same(tmp_path: Path) -> None:
    models = load(written(tmp_path, TOML, "pyproject.toml")).models

    assert [(Path(model.path).name, model.options.batch_size) for model in models] == [
        ("a.keras", 2),
        ("b.keras", 2),
    ]
    assert models[0].expectations.frozen == ("backbone/**",)


def test_toml_has_lines_too(tmp_path: Path) -> None:
    text = TOML.replace("thresholds", "threshold").replace("batch_size", "batchsize")

    assert refused(tmp_path, text, "pyproject.toml") == [
        "8: defaults: unknown key 'batchsize': did you mean 'batch_size'?",
        "16: models[1]: unknown key 'threshold': did you mean 'thresholds'?",
    ]


def test_a_file_that_is_missing_or_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    for name, word in (("a.yaml", "No such file"), ("b.yaml", "is not UTF-8"), (".", "directory")):
        with pytest.raises(UsageError, match=word):
            load(tmp_path / name)


@given(
    st.text(alphabet=st.sampled_from(list("{}[]:,-&*!|>'\"#\n 0aeE.~<%@`?\t\x00é")), max_size=40)
)
def test_any_text_is_a_plan_or_a_list_of_problems(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = written(tmp_path_factory.getbasetemp(), text, "any.yaml")
    try:
        load(path)
    except GradflowError as error:
        assert re.match(rf"{re.escape(str(path))}(:\d+)?: ", error.message)


@pytest.mark.parametrize("number", ["9" * 5_000, "4.0", "1e1"])
def test_what_counts_things_is_a_whole_number(tmp_path: Path, number: str) -> None:
    lines = refused(tmp_path, f"defaults: {{batch_size: {number}}}")

    assert any("a whole number" in line or "5,000 digits is too long" in line for line in lines)


def test_a_date_of_toml_is_one_of_yaml(tmp_path: Path) -> None:
    text = "[tool.gradflow]\ndefaults = {ignore = [{variables = 'a', until = 2027-01-01}]}\n"

    assert load(written(tmp_path, text, "pyproject.toml")).defaults.expectations.ignore[
        0
    ].until == date(2027, 1, 1)


def test_a_table_of_another_tool_is_not_ours(tmp_path: Path) -> None:
    written(tmp_path, "[tool.gradflow-docs]\nx = 1\n", "pyproject.toml")
    assert find_config(tmp_path) is None

    path = written(tmp_path, "[[tool . gradflow . models]]\npath = 'm'\n", "pyproject.toml")
    assert find_config(tmp_path) == path

"""``gradflow check`` and its neighbours as a user runs them: exit codes, what is said, what is
written."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gradflow.catalogue import CATALOGUE
from gradflow.config import ModelPlan
from tests.cli.command import CUT, FROZEN, HEALTHY, SAMPLES, Done, here
from tests.cli.test_help import HEAVY, loaded
from tests.models.own_activation import with_own_activation

pytestmark = pytest.mark.usefixtures("kept_results")

FINETUNE = str(SAMPLES / "finetune.keras")
OWN = "own.keras"
"""The same, with an activation of its author's at the end: nobody can tell what its weights get."""
TOWERS = str(SAMPLES / "two_towers.keras")
FLAGS = ("--expect-frozen", "stem/**", "--expect-frozen", "norm/**", "--expect-frozen", "block/**")
ADAPTER = ("--expect-frozen", "adapter/**")
ALONE = ("--static", "--select", "GF4")
"""Judge the freeze flags of a file alone."""


def check(*arguments: str) -> Done:
    return here("check", *arguments, COLUMNS="400")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("own") / OWN
    return with_own_activation(Path(FINETUNE), "head", target)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: Path) -> None:
    """Away from the checkout, whose own pyproject.toml must not count."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / OWN).symlink_to(own)


EXIT_CODES = [
    # static, so that each takes a moment; the words are those of the table in the README
    ([HEALTHY, "--static"], 0),
    ([CUT, "--static"], 1),
    ([CUT, "--static", "--exit-zero"], 0),
    ([CUT, "--static", "--ignore", "GF201"], 0),
    ([CUT, "--static", "--select", "GF4"], 0),
    ([CUT, "--static", "--select", "gf2,GF401"], 1),
    ([FROZEN, "--static"], 1),
    ([FINETUNE, *ALONE, *FLAGS, *ADAPTER], 0),
    ([FINETUNE, *ALONE, *FLAGS], 1),
    ([FINETUNE, *ALONE, *FLAGS, *ADAPTER, "--expect-frozen", "typo/**"], 1),
    ([FINETUNE, *ALONE, *FLAGS, *ADAPTER, "--expect-frozen", "head/**"], 1),
    # No expectation of flags makes gradients known that nobody looked at.
    ([OWN, "--static", *FLAGS, *ADAPTER], 2),
    ([OWN, *ALONE, *FLAGS, *ADAPTER, "--expect-trainable", "head/**"], 2),
    # Gradients were asked for, and the file does not tell what they get.
    ([OWN, "--static"], 2),
    ([OWN, *ALONE, *FLAGS, *ADAPTER], 0),
    # The layers of Keras tell it.
    ([FINETUNE, "--static", *FLAGS, *ADAPTER, "--expect-trainable", "head/**"], 0),
    ([TOWERS, "--static"], 1),
    (["missing.keras"], 2),
    (["missing.keras", "--exit-zero"], 2),
    ([CUT, "missing.keras", "--static"], 2),
    ([], 2),
    ([HEALTHY, "--static", "-c", "missing.yaml"], 2),
    ([HEALTHY, "--static", "--baseline", "missing.json"], 2),
    ([HEALTHY, "--static", "--select", "GF777"], 2),
    ([HEALTHY, "--static", "--fail-on", "nothing"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), EXIT_CODES)
def test_exit_codes(arguments: list[str], code: int) -> None:
    done = check(*arguments)

    assert done.code == code
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize(("arguments", "code"), EXIT_CODES[:3])
def test_the_exit_code_is_that_of_no_format(arguments: list[str], code: int, format: str) -> None:
    assert check(*arguments, "--format", format).code == code


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("model", "expected", "code"),
    [
        ("healthy.keras", (), 0),
        ("two_towers.keras", (), 1),
        ("finetune.keras", (*FLAGS, *ADAPTER), 0),
    ],
)
def test_gradients_are_measured_where_they_are_expected(
    model: str, expected: tuple[str, ...], code: int
) -> None:
    done = check(
        str(SAMPLES / model), *expected, *(("--expect-trainable", "head/**") if expected else ())
    )

    assert done.code == code
    assert "tape step" in done.stdout


def test_flags_are_judged_without_tensorflow_and_that_is_said() -> None:
    arguments = ("check", FINETUNE, *ALONE, *FLAGS, *ADAPTER)

    assert loaded(*arguments).isdisjoint(HEAVY.split())
    assert "read without TensorFlow (static)" in here(*arguments).stdout


@pytest.mark.tensorflow
def test_frozen_flags_that_are_as_expected_hide_no_missing_gradient(tmp_path: Path) -> None:
    """The generator of a GAN that learns nothing, behind a discriminator frozen as planned."""
    import keras

    x = keras.Input([4], name="noise")
    made = keras.ops.round(keras.layers.Dense(4, name="generator")(x))
    model = keras.Model(x, keras.layers.Dense(1, name="discriminator")(made))
    model.get_layer("discriminator").trainable = False
    model.save(tmp_path / "gan.keras")
    arguments = ("gan.keras", "--expect-frozen", "discriminator/**")

    done = check(*arguments)
    assert done.code == 1
    assert "2 of 2 trainable weights get no gradient" in done.stdout
    static = check(*arguments, "--static")
    assert static.code == 1
    assert "2 of 2 trainable weights get no gradient" in static.stdout


def test_the_last_line_names_what_is_broken_and_what_was_not_checked() -> None:
    done = check(CUT, HEALTHY, "missing.keras", "--static")

    assert done.stderr.splitlines()[-1] == (
        f"gradflow: check: 1 of 3 models as expected; broken: {CUT}; not checked: missing.keras"
    )


def test_a_model_given_twice_is_checked_once() -> None:
    assert (
        len(json.loads(check(HEALTHY, HEALTHY, "--static", "--format", "json").stdout)["models"])
        == 1
    )


def test_every_problem_of_a_configuration_is_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "gradflow.yaml").write_text("versoin: 1\nmodels:\n  - pth: a\n")

    done = check()

    assert done.code == 2
    assert done.stderr.splitlines() == [
        "Error: gradflow.yaml:1: unknown key 'versoin': did you mean 'version'?",
        "gradflow.yaml:3: models[0]: the key 'path' is missing",
        "gradflow.yaml:3: models[0]: unknown key 'pth': did you mean 'path'?",
    ]


def test_the_configuration_of_the_folder_counts_and_the_command_line_before_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "gradflow.yaml").write_text(
        f"models:\n  - path: {CUT}\n    static: true\n    select: [GF4]\n"
    )

    assert check().code == 0
    assert check("--select", "GF2").code == 1
    assert check(CUT).code == 0
    assert "is not in gradflow.yaml" in check(HEALTHY, "--static").stderr


def test_a_model_is_trusted_by_name_or_by_its_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module("gradflow.cli.judging")
    asked: list[tuple[bool, int | None]] = []
    check_model = module.check_model

    def noted(plan: ModelPlan, *others: Any) -> Any:
        asked.append((plan.options.trust, plan.options.memory_limit))
        return check_model(plan, *others)

    monkeypatch.setattr(module, "check_model", noted)
    entry = f"  - path: {CUT}\n    static: true\n    trust: true\n"
    (tmp_path / "gradflow.yaml").write_text(
        f"models:\n  - path: {HEALTHY}\n    static: true\n{entry}"
    )

    check("--jobs", "1")
    check(HEALTHY, "--trust", "--memory-limit", "2GB")
    line = check("--trust").failed_in_one_line()

    assert asked == [(False, None), (True, None), (True, 2_000_000_000)]
    assert (
        line
        == "Error: --trust is only for models that are named on the command line: write trust: "
        "true to the model's entry instead"
    )


def test_a_pyproject_counts_where_it_has_a_table_of_ours(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text("[project]\nname = 'x'\n")
    assert "there is no gradflow.yaml here" in check().stderr

    project.write_text(f"[tool.gradflow]\nmodels = [{{path = '{HEALTHY}', static = true}}]\n")
    assert check().code == 0


def test_init_writes_what_the_model_keeps(tmp_path: Path) -> None:
    for model in (CUT, FROZEN, HEALTHY):
        assert here("init", model, "--static", "--force").code == 0
        assert check("--static", "--fail-on", "error").code == 0
    assert (
        here("init", CUT, "--static")
        .failed_in_one_line()
        .endswith("name another file, or replace it with --force")
    )
    assert here("init", "missing.keras", "-o", "new.yaml").code == 2
    assert not (tmp_path / "new.yaml").exists()


def test_init_writes_the_schema_that_its_file_names(tmp_path: Path) -> None:
    done = here("init", HEALTHY, "--static", "-o", "new.yaml")

    assert "new.yaml and gradflow.schema.json are written" in done.stderr
    schema = tmp_path / "gradflow.schema.json"
    assert schema.read_text(encoding="utf-8") == here("schema", "config").stdout
    schema.write_text("{}")
    again = here("init", HEALTHY, "--static", "-o", "new.yaml", "--force")
    assert "gradflow: new.yaml is written; " in again.stderr
    assert schema.read_text() == "{}"


def test_what_is_frozen_is_accepted_by_the_command_that_check_names() -> None:
    refused = here("check", FROZEN, "--static", COLUMNS="400")
    assert refused.code == 1
    assert f"fix: if it is meant, gradflow init {FROZEN} accepts it; else " in refused.stdout

    assert here("init", FROZEN, "--static").code == 0
    assert check("--static").code == 0


def test_a_baseline_accepts_what_is_there(tmp_path: Path) -> None:
    assert here("baseline", CUT, FROZEN, "--static", "-o", "b.json").code == 0
    assert check(CUT, FROZEN, "--static", "--baseline", "b.json").code == 0
    assert "is not in b.json" in check(HEALTHY, "--static", "--baseline", "b.json").stderr

    first = (tmp_path / "b.json").read_bytes()
    here("baseline", FROZEN, CUT, "--static", "-o", "b.json")
    assert (tmp_path / "b.json").read_bytes() == first
    assert here("baseline", CUT, "missing.keras", "--static", "-o", "c.json").code == 2
    assert not (tmp_path / "c.json").exists()
    (tmp_path / "d.json").write_text("{}")
    assert (
        "is not a baseline of gradflow" in check(CUT, "--baseline", "d.json").failed_in_one_line()
    )


def test_first_and_last_line_say_what_is_accepted_and_by_which_line(tmp_path: Path) -> None:
    started = here("init", CUT, "--static")
    done = check("--static")

    lines = (tmp_path / "gradflow.yaml").read_text().splitlines()
    rules = [number for number, rule in enumerate(lines, 1) if "codes: [GF201]" in rule]
    accepted = f"1 finding accepted ({', '.join(f'gradflow.yaml:{rule}' for rule in rules)})"
    assert "gradflow: 4 weights without gradient accepted (GF201): look at them first\n" in (
        started.stderr
    )
    assert done.stdout.partition("\n")[0].endswith(f"4 of 8 weights get no gradient, {accepted}")
    assert done.stderr.endswith(f"gradflow: check: as expected; {accepted}\n")
    assert "error GF201" not in done.stdout
    assert "and score, gradient is stopped by StopGradient" in check("--static", "--all").stdout


@pytest.fixture(scope="module")
def gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of four layers in front of a frozen discriminator, which it reaches rounded."""
    import keras

    x = keras.Input((6,), name="noise")
    layers = [keras.layers.Dense(6, name=f"up_{number}") for number in range(4)]
    generator = keras.Sequential([keras.Input((6,)), *layers], name="generator")
    discriminator = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(1, name="judge")], name="discriminator"
    )
    discriminator.trainable = False
    model = keras.Model(x, discriminator(keras.ops.round(generator(x))))
    model.compile("adam", "mse")
    path = tmp_path_factory.mktemp("gan") / "gan.keras"
    model.save(path)
    return path


@pytest.mark.tensorflow
@pytest.mark.parametrize("static", [[], ["--static"]])
def test_a_generator_that_learns_nothing_is_never_green_without_a_word(
    static: list[str], gan: Path, tmp_path: Path
) -> None:
    for name in ("gan.keras", "second.keras", "third.keras"):
        (tmp_path / name).write_bytes(gan.read_bytes())
    red = check("gan.keras", "--expect-frozen", "discriminator/**", *static)
    ignored = check("gan.keras", "--ignore", "GF202,GF401", *static)
    started = here("init", "gan.keras", "second.keras", "third.keras", *static)
    first = here("init", "gan.keras", "-o", "one.yaml", *static)
    accepted = here("audit", "gradflow.yaml", *static, COLUMNS="400")

    assert red.code == 1
    assert red.stdout.startswith("gan.keras: 8 of 8 trainable weights get no gradient, 1 cause")
    assert "error GF202: between up_3 and judge, gradient is cut by Round " in red.stdout
    assert red.stderr.endswith("gradflow: check: broken: gan.keras\n")
    assert "mended" not in ignored.stdout + ignored.stderr
    sentence = "gradflow: 8 weights without gradient accepted (GF202): look at them first\n"
    assert first.stderr.startswith(sentence)
    assert sentence.replace("8", "24", 1) in started.stderr
    assert accepted.code == 0
    words = ": 8 of 8 trainable weights get no gradient, 2 frozen, 1 finding accepted (gradflow.y"
    assert [words in line for line in accepted.stdout.splitlines()[:3]] == [True] * 3
    assert "3 of 3 models as expected; 3 findings accepted (gradflow.yaml:" in accepted.stderr


def test_an_audit_says_what_is_accepted(tmp_path: Path) -> None:
    here("init", CUT, HEALTHY, "--static")
    config = tmp_path / "gradflow.yaml"
    config.write_text(config.read_text().replace("defaults:\n", "defaults:\n  static: true\n"))

    done = here("audit", "gradflow.yaml", "--no-cache", "-q", "--format", "json")
    models = json.loads(done.stdout)["models"]
    text = here("audit", "gradflow.yaml", "--no-cache")

    by = ", ".join(finding["accepted"]["by"] for finding in models[0]["findings"])
    assert by.startswith("gradflow.yaml:")
    assert "2 models: 1 with accepted findings, 1 fine\n" in text.stdout
    assert text.stderr.endswith(f"2 of 2 models as expected; 1 finding accepted ({by})\n")


def test_a_baseline_and_an_option_say_what_they_accept(tmp_path: Path) -> None:
    written = here("baseline", CUT, "--static", "-o", "b.json")
    assert written.stderr == (
        "gradflow: 4 weights without gradient accepted (GF201): look at them first\n"
        "gradflow: b.json is written; gradflow check --baseline b.json fails on what is new\n"
    )
    assert here("baseline", CUT, "--static", "-o", "b.json", "-q", "--force").stderr == ""

    by_baseline = check(CUT, "--static", "--baseline", "b.json")
    by_option = check(CUT, "--static", "--ignore", "GF2", "--format", "sarif")

    assert by_baseline.stderr.endswith("check: as expected; 1 finding accepted (b.json)\n")
    assert by_option.stderr.endswith("check: as expected; 1 finding accepted (--ignore GF2)\n")
    (result,) = json.loads(by_option.stdout)["runs"][0]["results"]
    assert result["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "--ignore GF2"}
    ]


def test_diff_tells_a_frozen_model_from_one_that_is_not(tmp_path: Path) -> None:
    same = here("diff", "--static", FINETUNE, FROZEN, COLUMNS="400")
    other = here("diff", "--static", "--format", "json", FROZEN, HEALTHY)

    assert (same.code, ": no changes" in same.stdout) == (0, True)
    assert other.code == 1
    assert {change["kind"] for change in json.loads(other.stdout)["changes"]} == {
        "unfrozen",
        "gone",
    }
    assert here("diff", "--static", FROZEN, HEALTHY, "--exit-zero").code == 0
    assert here("diff", "--static", FROZEN, "missing.keras").code == 2


def test_the_schemas_hold_for_what_is_written(tmp_path: Path) -> None:
    from jsonschema import Draft202012Validator

    report = json.loads(check(CUT, "missing.keras", "--static", "--format", "json").stdout)
    here("init", CUT, "--static")
    schema = json.loads(here("schema", "report").stdout)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(report)
    Draft202012Validator.check_schema(json.loads(here("schema", "config").stdout))
    assert list(Draft202012Validator(schema).iter_errors({**report, "more": 1}))


@pytest.mark.tensorflow
def test_state_that_the_configuration_declares_is_no_weight(tmp_path: Path) -> None:
    text = (
        f"models: "
        f"[{{path: {FINETUNE}, state: ['adapter/**'], expect: {{frozen: ['backbone/**']}}}}]\n"
    )
    (tmp_path / "gradflow.yaml").write_text(text)

    done = check("--format", "json")

    (model,) = json.loads(done.stdout)["models"]
    assert (done.code, model["summary"]["state"]) == (0, 4)


def test_a_submodel_is_named_by_its_own_name_though_keras_leaves_it_out_of_the_paths() -> None:
    assert check(FINETUNE, *ALONE, "--expect-frozen", "backbone/**", *ADAPTER).code == 0
    hdf5 = str(SAMPLES / "finetune.h5")
    assert check(hdf5, *ALONE, "--expect-frozen", "backbone/**", *ADAPTER).code == 0


@pytest.mark.tensorflow
def test_places_among_the_layers_are_those_of_the_loaded_model_too() -> None:
    arguments = ("--expect-frozen", "backbone/**", *ADAPTER, "--expect-trainable", "head/**")

    done = check(FINETUNE, *arguments, "--format", "json")

    (model,) = json.loads(done.stdout)["models"]
    assert done.code == 0
    assert [one["status"] for one in model["expectations"]] == ["kept"] * 3
    assert "place" not in model["variables"][0]


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("code", "model"),
    [("GF401", FINETUNE), ("GF402", str(SAMPLES / "healthy.keras")), ("GF403", FINETUNE)],
)
def test_the_example_of_a_code_brings_it_about(code: str, model: str, tmp_path: Path) -> None:
    example = (
        CATALOGUE[code].example.replace("backbone/", "stem/")
        if code == "GF402"
        else CATALOGUE[code].example
    )
    body = "\n".join(f"    {line}" for line in example.splitlines())
    (tmp_path / "gradflow.yaml").write_text(f"models:\n  - path: {model}\n{body}\n")

    done = check("--format", "json")

    (report,) = json.loads(done.stdout)["models"]
    assert done.code == 1
    assert code in {finding["code"] for finding in report["findings"]}


def test_the_configuration_means_a_saved_model_by_the_file_that_pre_commit_gives(
    tmp_path: Path,
) -> None:
    (tmp_path / "gradflow.yaml").write_text(
        f"models:\n  - path: {CUT}\n    name: cut\n    static: true\n    select: [GF4]\n"
    )

    done = check(f"{CUT}/saved_model.pb")

    assert done.code == 0
    assert "is not in" not in done.stderr
    assert (
        json.loads(check(f"{CUT}/", "cut", "--format", "json").stdout)["models"][0]["path"] == CUT
    )


@pytest.mark.parametrize(
    "more", [["--select", "GF201"], ["--select", "gf2"], ["-c", "ignores.yaml"]]
)
def test_flags_alone_are_no_answer_where_gradients_are_asked_for_in_codes(
    tmp_path: Path, more: list[str]
) -> None:
    rule = "{variables: 'head/**', codes: [GF206]}"
    (tmp_path / "ignores.yaml").write_text(f"models: [{{path: {OWN}, ignore: [{rule}]}}]\n")

    done = check(OWN, "--static", *FLAGS, *ADAPTER, *more)

    assert done.code == 2
    assert "is unknown" in done.stdout


def test_a_diff_says_which_gradients_it_did_not_compare() -> None:
    same = here("diff", "--static", OWN, OWN, COLUMNS="400")

    assert "no changes, and the gradients of 10 weights were not compared" in same.stdout
    assert (
        len(
            json.loads(here("diff", "--static", "--format", "json", OWN, FINETUNE).stdout)[
                "not_compared"
            ]
        )
        == 10
    )
    assert "not compared" not in here("diff", "--static", HEALTHY, HEALTHY).stdout


def test_two_entries_of_one_file_have_two_baselines(tmp_path: Path) -> None:
    entries = "".join(
        f"  - {{path: {CUT}, name: {name}, static: true, {more}}}\n"
        for name, more in (
            ("towers", ""),
            ("scores", "state: ['document_*/**']"),
        )
    ).replace(", }", "}")
    (tmp_path / "gradflow.yaml").write_text(f"models:\n{entries}")

    assert here("baseline", "-o", "b.json").code == 0
    assert list(json.loads((tmp_path / "b.json").read_text())["models"]) == ["scores", "towers"]
    done = check("--baseline", "b.json")
    assert done.code == 0
    assert "GF404" not in done.stdout


def test_an_option_overrides_its_own_expectation_and_no_other(tmp_path: Path) -> None:
    settings = (
        f"path: {FROZEN}, static: true, expect: "
        f"{{frozen: [stem/**, norm/**, block/**, adapter/**], trainable: [typo]}}"
    )
    (tmp_path / "gradflow.yaml").write_text(f"models:\n  - {{{settings}}}\n")

    assert check("--expect-trainable", "head/**", "--ignore", "GF102").code == 0
    assert (
        check(
            "--expect-trainable", "head/**", "--expect-frozen", "adapter/**", "--ignore", "GF102"
        ).code
        == 1
    )

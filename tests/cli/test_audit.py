"""``gradflow audit`` as a user runs it: order, exit codes, what is said, what is kept, how it is
stopped."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from gradflow.report.formats import FORMATS
from tests.cli.command import ROOT, SAMPLES, Done, environment, here, process

CONFIGS = ROOT / "configs"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADFLOW_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder: Path, *models: str, defaults: str = "{}") -> str:
    path = folder / "audit.yaml"
    path.write_text(
        f"version: 1\ndefaults: {defaults}\nmodels:\n" + "".join(f"  - {one}\n" for one in models)
    )
    return str(path)


def audit(*arguments: str, **more: str) -> Done:
    return here("audit", *arguments, **{"COLUMNS": "400", **more})


@pytest.fixture
def static(tmp_path: Path) -> str:
    """Four models that take a moment, two of them broken, and one that is not there."""
    return write(
        tmp_path,
        f"{{path: {SAMPLES}/*_saved_model, static: true}}",
        "{path: missing.keras, name: lost}",
    )


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ([], 2),
        (["--exit-zero"], 2),
        (["--only", "*two_towers*"], 1),
        (["--only", "*two_towers*", "--exit-zero"], 0),
        (["--only", "*healthy*"], 0),
        (["--only", "*healthy*", "--only", "*argmax*"], 1),
        (["--only", "*argmax*", "--ignore", "GF202"], 0),
        (["--only", "lost"], 2),
        (["--only", "nobody"], 2),
        (["--jobs", "0"], 2),
        (["--ship"], 2),
    ],
)
def test_exit_codes(more: list[str], code: int, static: str) -> None:
    done = audit(static, *more)

    assert done.code == code, done
    assert "Traceback" not in done.stdout + done.stderr


def test_a_wrong_name_is_told_with_the_nearest(static: str) -> None:
    assert "--only lots: " in audit(static, "--only", "lots").stderr
    assert "did you mean lost?" in audit(static, "--only", "lots").stderr


def test_the_same_bytes_with_any_number_of_jobs(static: str, tmp_path: Path) -> None:
    def run(jobs: str) -> tuple[Done, dict[str, bytes]]:
        folder = tmp_path / jobs
        folder.mkdir()
        files = [part for name in FORMATS for part in ("--report", f"{name}={folder / name}")]
        done = audit(static, "--no-cache", "-q", "--jobs", jobs, *files)
        return done, {path.name: path.read_bytes() for path in folder.iterdir()}

    one, many = run("1"), run("7")

    assert one == many
    assert one[0].code == 2
    assert set(one[1]) == set(FORMATS)


def test_the_order_is_that_of_the_configuration(tmp_path: Path) -> None:
    names = ["two_towers", "argmax", "healthy", "finetune"]
    config = write(
        tmp_path,
        *(f"{{path: {SAMPLES}/{name}_saved_model, static: true, name: {name}}}" for name in names),
    )

    models = json.loads(audit(config, "-q", "--format", "json").stdout)["models"]

    assert [Path(model["path"]).name for model in models] == [
        f"{name}_saved_model" for name in names
    ]


def test_each_is_told_as_it_comes_and_all_at_the_end(static: str) -> None:
    done = audit(static)

    lines = done.stderr.splitlines()
    assert [line.split()[0] for line in lines[:5]] == [f"[{number}/5]" for number in range(1, 6)]
    assert lines[-1].startswith("gradflow: audit: 1 of 5 models as expected; broken: ")
    assert lines[-1].endswith("; not checked: lost")
    assert "\nlost (" in done.stdout
    assert audit(static, "-q", "--only", "*healthy*").stderr == ""


def test_two_entries_of_one_file_are_told_apart(tmp_path: Path) -> None:
    path = SAMPLES / "healthy_saved_model"
    config = write(
        tmp_path,
        f"{{path: {path}, static: true, name: one}}",
        f"{{path: {path}, static: true, name: two}}",
    )

    assert [
        line.split(" (")[0] for line in audit(config).stdout.splitlines() if str(path) in line
    ] == ["one", "two"]


def test_a_second_run_reads_what_is_kept(static: str, own_cache: Path) -> None:
    first = audit(static, "-q")
    kept = sorted(own_cache.rglob("*.json"))
    second = audit(static, "-q")

    assert len(kept) == 4
    assert second == first
    assert here("cache", "clear").stdout == "4 results removed\n"
    assert not own_cache.exists()
    assert here("cache", "folder").stdout == f"{own_cache}\n"


def test_without_the_cache_nothing_is_kept(static: str, own_cache: Path) -> None:
    audit(static, "-q", "--no-cache")

    assert not own_cache.exists()


def test_the_history_is_for_diff(static: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for _ in range(2):
        audit(static, "-q", "--history", str(tmp_path / "history"), "--report", f"html={page}")

    files = sorted(map(str, (tmp_path / "history").iterdir()))
    assert len(files) == 2
    assert here("diff", *files).code == 0
    # The page compares with the run before: nothing has changed.
    assert '"change": null' in page.read_text(encoding="utf-8")
    assert '"direction"' not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text", ["", "version: 1\n", "version: 1\nmodels: []\n", "models: 5\n", "a: [\n"]
)
def test_a_configuration_without_models_is_a_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    done = audit(str(tmp_path / "a.yaml"))

    assert done.code == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert audit(str(tmp_path / "missing.yaml")).code == 2


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "code"), [("minimal.yaml", 0), ("tour.yaml", 0), ("strict.yaml", 0)]
)
def test_the_examples_run(name: str, code: int) -> None:
    done = audit(str(CONFIGS / name))

    assert done.code == code, done


@pytest.mark.tensorflow
@pytest.mark.skipif(sys.platform != "linux", reason="a new interpreter for each takes long")
def test_a_death_costs_one_model_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dies.py").write_text("import os; os.abort()")
    (tmp_path / "hangs.py").write_text("import time; time.sleep(60)")
    model = SAMPLES / "healthy.keras"
    config = write(
        tmp_path,
        *[f"{{path: {model}, name: fine{number}}}" for number in range(3)],
        f"{{path: {model}, name: dies, imports: [dies]}}",
        f"{{path: {model}, name: hangs, imports: [hangs], timeout: 8}}",
    )

    done = audit(config, "--no-cache", "--jobs", "2", "--format", "json")

    models = json.loads(done.stdout)["models"]
    assert done.code == 2
    assert [model["status"] for model in models] == ["analyzed"] * 3 + ["failed"] * 2
    assert "SIGABRT" in models[3]["error"]["message"]
    assert "gave no answer in 8 s" in models[4]["error"]["message"]
    assert models[0] == models[1] == models[2]


@pytest.mark.tensorflow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_shows_what_is_done_and_goes_on(
    number: int, code: int, tmp_path: Path
) -> None:
    (tmp_path / "hangs.py").write_text("import time; time.sleep(60)")
    shutil.copytree(SAMPLES / "healthy_saved_model", tmp_path / "m")
    config = write(
        tmp_path,
        "{path: m}",
        "{path: m, name: hangs, imports: [hangs]}",
        "{path: m, name: last, seed: 1}",
    )
    given = environment(
        GRADFLOW_CACHE_DIR=str(tmp_path / "cache"), COLUMNS="400", TMPDIR=str(tmp_path / "scratch")
    )
    (tmp_path / "scratch").mkdir()
    with process(
        "audit", config, "--jobs", "1", "--format", "json", env=given, cwd=tmp_path
    ) as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith("[1/3] ")
        time.sleep(1)
        running.send_signal(number)
        out, err = running.communicate(timeout=30)

    assert running.returncode == code
    assert "gradflow: stopped: 1 of 3 models are done; the next run continues from there" in err
    assert [model["path"] for model in json.loads(out)["models"]] == [str(tmp_path / "m")]
    assert "Traceback" not in err
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not [
        one for one in Path("/proc").iterdir() if one.name.isdecimal() and _cwd(one) == tmp_path
    ]
    assert len(list((tmp_path / "cache").rglob("*.json"))) == 1


def _cwd(place: Path) -> Path | None:
    try:
        return (place / "cwd").readlink()
    except OSError:
        return None

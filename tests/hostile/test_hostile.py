"""No hostile model leaves a mark: the scan refuses it, and where the user trusts it the sandbox
still holds it.

The first test shows that each of them does leave its mark without gradflow, so that the others can
fail.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gradflow.findings import Mode
from gradflow.options import Options
from gradflow.process import fork_start
from gradflow.process.fork_client import ForkServers
from gradflow.process.parent import inspect_path
from gradflow.process.sandbox import about, limits
from gradflow.process.spawn import Child, Spawn
from tests.cli.command import ROOT, apart, environment, here
from tests.hostile.graphs import HARMFUL as GRAPHS
from tests.hostile.keras_files import HARMFUL as KERAS
from tests.hostile.keras_files import named_function, with_code
from tests.hostile.saved_models import HARMFUL as OBJECTS
from tests.process import escapes

pytestmark = pytest.mark.tensorflow
jailed = pytest.mark.skipif(
    sys.platform != "linux" or not about.means_here().landlock or not about.means_here().seccomp,
    reason="this system has no Landlock (Linux 5.13) and seccomp to hold a process",
)
SAVED = {**OBJECTS, **GRAPHS}
NAMES = [*SAVED, *KERAS]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Each model and its marker."""
    found = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp(name)
        mark = folder / "marks" / "mark"
        mark.parent.mkdir()
        model = folder / "model"
        if name in SAVED:
            SAVED[name](model, str(mark))
        else:
            model = KERAS[name](folder, str(mark))
        found[name] = model, mark
        wipe(mark)
    return found


def left(mark: Path) -> bool:
    """Whether anything was written where the marker belongs."""
    return any(mark.parent.iterdir())


def wipe(mark: Path) -> None:
    for place in sorted(mark.parent.rglob("*"), reverse=True):
        place.rmdir() if place.is_dir() else place.unlink()


def test_without_gradflow_each_leaves_its_mark(made: dict[str, tuple[Path, Path]]) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.hostile.bare",
        *(str(model) for model, _ in made.values()),
    ]
    done = subprocess.run(
        command,
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]

    without = [name for name, (_, mark) in made.items() if not left(mark)]
    for _, mark in made.values():
        wipe(mark)
    assert without == []


@pytest.mark.parametrize("name", NAMES)
def test_the_scan_refuses_it_and_says_why(name: str, made: dict[str, tuple[Path, Path]]) -> None:
    model, mark = made[name]

    scanned, inspected = here("scan", str(model), "-q"), here("inspect", str(model), "-q")

    assert scanned.code == 2
    for words in (scanned.stdout, inspected.failed_in_one_line()):
        assert "(GF902)" in words
        assert "--trust" in words or f"--import acts_of_{model.parent.name} lets" in words
    assert not left(mark)


@pytest.mark.parametrize("name", NAMES)
def test_reading_it_leaves_no_mark(name: str, made: dict[str, tuple[Path, Path]]) -> None:
    model, mark = made[name]

    assert here("inspect", "--static", str(model), "-q").code == 0
    assert here("inspect", "--entry", "list", str(model), "-q").code == 0
    assert not left(mark)


def _hold(model: Path, mark: Path, copies: Spawn) -> None:
    """Run a model that the scan refuses, and see that it leaves nothing."""
    report = inspect_path(str(model), Options(trust=True), spawn=copies).model

    assert not left(mark)
    # What it was not allowed to do can be the end of it.
    assert report.error is None or report.error.code in ("GF901", "GF903")


@jailed
@pytest.mark.parametrize("name", NAMES)
def test_where_it_is_trusted_the_jail_holds(
    name: str, made: dict[str, tuple[Path, Path]], copies: ForkServers
) -> None:
    _hold(*made[name], copies)


FIRST_LANDLOCK = (
    "from gradflow.process.sandbox import confine; confine.abi = lambda: 1; "
    "from gradflow.process.fork_server import main; main({tape})"
)


@pytest.fixture(scope="module")
def older_copies() -> Iterator[Spawn]:
    """Holds a process as Linux 5.13 would."""
    with ForkServers() as made:

        @contextmanager
        def older(*arguments: Any) -> Iterator[Child]:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(fork_start, "_BOOT", FIRST_LANDLOCK)
                with made(*arguments) as child:
                    yield child

        yield older


SHORT = ("at_load", "byte_code")


@jailed
@pytest.mark.parametrize(
    "name",
    [*SHORT, *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES if name not in SHORT)],
)
def test_the_first_landlock_holds_it_as_well(
    name: str, made: dict[str, tuple[Path, Path]], older_copies: Spawn
) -> None:
    _hold(*made[name], older_copies)


EVERY = """
import os
if "gradflow-run-" in os.getcwd():
    from tests.process.escapes import done_from_here
    done = done_from_here({out!r}, {pid}, {port})
    if done:
        raise RuntimeError("did " + ", ".join(done))
"""


@jailed
@pytest.mark.parametrize("age", ["this", "first"])
def test_a_model_that_tries_every_way_out_finds_none(
    age: str, tmp_path: Path, copies: ForkServers, older_copies: Spawn
) -> None:
    import keras

    with (
        escapes.outside(tmp_path / "outside") as out,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True) as other,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        code = EVERY.format(out=str(out), pid=other.pid, port=server.getsockname()[1])
        with_code(keras, code, tmp_path / "model.keras")
        report = inspect_path(
            str(tmp_path / "model.keras"),
            Options(trust=True),
            spawn=copies if age == "this" else older_copies,
        ).model
        other.kill()
        assert escapes.is_whole(out)

    assert (report.summary.flows, report.error) == (2, None)


@jailed
@pytest.mark.parametrize("name", ["at_load", "byte_code"])
def test_a_new_interpreter_is_held_as_well(name: str, made: dict[str, tuple[Path, Path]]) -> None:
    model, mark = made[name]

    done = apart("inspect", "--trust", str(model), "-q")

    assert not left(mark)
    assert "Traceback" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[int, list[bool]]]:
    """A port of this machine, and whether anybody came."""
    visits: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        going = threading.Event()

        def wait() -> None:
            while not going.is_set():
                try:
                    server.accept()[0].close()
                    visits.append(True)
                except TimeoutError:
                    continue

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        yield server.getsockname()[1], visits
        going.set()
        thread.join()


ACTS = {
    "writes to the home folder": "open(os.path.expanduser('~{user}/gradflow-mark'), 'w').close()",
    "writes beside the model": "open({mark!r}, 'w').close()",
    "changes the model": "open({model!r}, 'ab').write(b'x')",
    "removes the model": "os.unlink({model!r})",
    "runs a program": "subprocess.run(['touch', {mark!r}])",
    "runs a shell": "os.system('touch ' + {mark!r})",
    "becomes a program": "os.execv('/usr/bin/touch', ['touch', {mark!r}])",
    "connects": "socket.create_connection(('127.0.0.1', {port}), 2)",
    "ends its parent": "os.kill(os.getppid(), 9)",
    "stays behind": "os.fork() or (os.setsid(), os.fork() or (time.sleep(1), open({mark!r}, "
    "'w').close()))",
    "starts a thousand processes": "[os.fork() for _ in range(10)]",
    "prints a report": "os.write(1, b'{{\"answer\": null}}\\n') and print('::error::x')",
}
IMPORTS = "import os, socket, subprocess, time\n"


@jailed
@pytest.mark.parametrize("act", ACTS)
def test_python_code_that_is_trusted_is_held(
    act: str, listener: tuple[int, list[bool]], tmp_path: Path, copies: ForkServers
) -> None:
    import keras

    port, visits = listener
    mark, model = tmp_path / "mark", tmp_path / "model.keras"
    user = os.environ.get("USER", "root")
    code = ACTS[act].format(mark=str(mark), model=str(model), port=port, user=user)
    attempt = f"{IMPORTS}try:\n    {code}\nexcept OSError:\n    pass"
    with_code(keras, attempt, model)
    whole = model.read_bytes()

    report = inspect_path(str(model), Options(trust=True), spawn=copies).model
    time.sleep(1.5 if act == "stays behind" else 0)

    assert not mark.exists()
    assert not Path(f"~{user}/gradflow-mark").expanduser().exists()
    assert model.read_bytes() == whole
    assert not visits
    # The system refused it, and the analysis went on.
    assert (report.mode, report.summary.flows, report.error) == (Mode.TAPE, 2, None)
    assert report.findings[0].message.startswith("let in by --trust")


FLOODS = {
    "in many files": "for number in range(100):\n    write(open(str(number), 'wb'))",
    "in files without a name": (
        "held = []\nfor number in range(100):\n    held.append(open('file', 'wb'))\n"
        "    os.unlink('file')\n    write(held[-1])"
    ),
    "in files without content": "for number in range(10**6):\n    open(str(number), 'wb').close()",
}
WRITE = """
import os, time
def write(file):
    for _ in range(100):
        file.write(bytes(1 << 20))
        file.flush()
"""


@jailed
@pytest.mark.parametrize("flood", FLOODS)
def test_what_fills_the_disk_is_ended(
    flood: str, tmp_path: Path, copies: ForkServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 files of 100 MB are below the limit of each file."""
    import keras

    monkeypatch.setattr(limits, "_WRITES", 200 << 20)
    with_code(keras, WRITE + FLOODS[flood], tmp_path / "model.keras")

    error = inspect_path(
        str(tmp_path / "model.keras"), Options(trust=True), spawn=copies
    ).model.error

    assert error is not None
    assert "wrote more than 0.21 GB of temporary files while" in error.message


HANGS = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\nwhile True: pass"


@jailed
@pytest.mark.parametrize(
    ("code", "words", "seconds"),
    [
        (HANGS, "no answer in 8 s", 8.0),
        (
            "x = [bytearray(1 << 28) for _ in range(1000)]",
            "needs more memory than its limit of 1 GB",
            100.0,
        ),
        ("import os\nos.abort()", "was ended by SIGABRT while running the gradient step", 100.0),
    ],
)
def test_what_takes_everything_is_ended(
    code: str, words: str, seconds: float, tmp_path: Path, copies: ForkServers
) -> None:
    import keras

    with_code(keras, code, tmp_path / "model.keras")
    options = Options(trust=True, timeout=seconds, memory_limit=1_000_000_000)

    error = inspect_path(str(tmp_path / "model.keras"), options, spawn=copies).model.error

    assert error is not None
    assert error.code == "GF903"
    assert words in error.message


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("os", "system"),
        ("subprocess", "run"),
        ("builtins", "exec"),
        ("builtins", "eval"),
        ("keras.utils", "get_file"),
        ("keras.datasets.mnist", "load_data"),
        ("keras.config", "set_floatx"),
        ("keras.saving", "load_model"),
        ("keras.src.utils.file_utils", "extract_archive"),
    ],
)
def test_a_function_that_is_no_part_of_a_model_is_refused(
    module: str, function: str, tmp_path: Path
) -> None:
    line = here(
        "inspect", "-q", str(named_function(tmp_path, module, function, "zeros"))
    ).failed_in_one_line()

    assert (
        f"(GF902): not loaded: function {function} of {module} (layer 'dense' of config.json)"
        in line
    )


def test_a_module_in_the_working_directory_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow imports tf_keras for an optimizer, and Keras keras_hub for its layers, from
    wherever Python looks."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    from tests.hostile.saved_models import Model, save

    model = Model()
    model.inner = tf.Module()
    save(model, tmp_path / "model")
    path = tmp_path / "model" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for node in saved.meta_graphs[0].object_graph_def.nodes[1:]:
        if node.WhichOneof("kind") == "user_object":
            node.user_object.identifier = "optimizer"
    path.write_bytes(saved.SerializeToString())
    mark = tmp_path / "mark"
    for name in ("tf_keras", "keras_hub", "keras_nlp", "tensorflow_text"):
        (tmp_path / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)

    here("inspect", "model", "-q")

    assert not mark.exists()

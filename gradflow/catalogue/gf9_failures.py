"""Describe why a model could not be checked."""

from __future__ import annotations

from gradflow.catalogue.entry import CodeEntry
from gradflow.findings import Severity

FAILURES = (
    CodeEntry(
        code="GF901",
        kind="unreadable",
        severity=Severity.ERROR,
        title="model could not be read or run",
        why=(
            "The path holds no model that can be read, a layer or op library is missing, or no "
            "inputs could be made for it. As a warning: the model could not be run, and the "
            "verdicts are those of the file alone."
        ),
        fix="follow the hint: often --import MODULE for custom layers, or --input NAME=SPEC",
        right_when=(
            "as a warning, where the file alone tells enough; never as an error: nothing was "
            "checked"
        ),
        example="",
    ),
    CodeEntry(
        code="GF902",
        kind="unsafe",
        severity=Severity.ERROR,
        title="model could do harm when loaded",
        why=(
            "A model file is a program. This one holds something that is not known to be "
            "harmless: an op that writes or reads files, connects or runs Python, a Lambda with "
            "byte code, a class or function that does more than compute, a path or link that "
            "leads out of the file, or a variable that no memory can hold. It was not loaded; as "
            "a note: --trust let it in."
        ),
        fix=(
            "read it with --static, which runs nothing, or pass --trust if you know where the "
            "file comes from"
        ),
        right_when="you made the file yourself",
        example=(
            "layer = keras.layers.Lambda(lambda x: x + 1)\n"
            "model = keras.Sequential([keras.Input([4]), layer])\n"
            'model.save("model.keras")  # with the byte code of the lambda'
        ),
    ),
    CodeEntry(
        code="GF903",
        kind="crashed",
        severity=Severity.ERROR,
        title="process that ran the model died",
        why=(
            "The model's process crashed, hung or ran out of memory. Other models of the run are "
            "not affected."
        ),
        fix=("raise --timeout or --memory-limit, lower --batch-size, or read it with --static"),
        right_when="never: nothing was checked",
        example="",
    ),
)

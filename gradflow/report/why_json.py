"""One variable and its Route to JSON, version 1."""

from __future__ import annotations

from gradflow.findings import ModelReport, Route, Tool
from gradflow.findings.wire import encode
from gradflow.text import as_json

SCHEMA = "gradflow-why-1"

_OF_THE_MODEL = (
    "path",
    "format",
    "producer",
    "entry",
    "mode",
    "status",
    "error",
    "inputs",
    "outputs",
)


def render(tool: Tool, model: ModelReport, route: Route | None) -> str:
    """Return the JSON text, written as that of the report; ``variable`` is the report's own record
    of it.

    ``variable`` and ``route`` are null where the model could not be checked.
    """
    variable = next(
        (one for one in model.variables if route is not None and one.name == route.variable), None
    )
    facts = encode(model, public=True)
    answer = {
        "schema": SCHEMA,
        "tool": encode(tool),
        "model": {name: facts[name] for name in _OF_THE_MODEL},
        "variable": encode(variable, public=True),
        "route": encode(route),
    }
    return as_json(answer) + "\n"

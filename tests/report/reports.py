"""Reports built by hand, one for each kind of thing that a report has to show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from gradflow.findings import (
    Acceptance,
    Cause,
    Confidence,
    Expectation,
    ExpectationStatus,
    Failure,
    Finding,
    Format,
    Gradient,
    Input,
    Mode,
    ModelReport,
    Output,
    Reach,
    Report,
    Role,
    Severity,
    Status,
    Summary,
    Tool,
    Variable,
    Verdict,
)

TOOL = Tool("gradflow", "0.1.0", "2.21.0", "3.15.1")
STATIC_TOOL = Tool("gradflow", "0.1.0", None, None)


def weight(name: str, *shape: int | None, **changes: object) -> Variable:
    """A weight whose gradient flows, unless ``changes`` say otherwise."""
    verdict = changes.get("verdict", Verdict.FLOWS)
    values: dict[str, object] = {
        "name": name,
        "layer": name.rpartition("/")[0] or None,
        "shape": shape,
        "dtype": "float32",
        "parameters": prod(size or 0 for size in shape),
        "role": Role.WEIGHT,
        "trainable": True,
        "frozen_by": None,
        "verdict": verdict,
        "confidence": Confidence.CONFIRMED,
        "gradient": Gradient(1.25, 0.5, 0.0, None) if verdict is Verdict.FLOWS else None,
        "causes": (),
        "cuts_to_restore": 0 if verdict is Verdict.FLOWS else None,
        "path": (),
    }
    return Variable(**{**values, **changes})


def state(name: str, *shape: int) -> Variable:
    return weight(
        name, *shape, role=Role.STATE, trainable=False, gradient=None, verdict=Verdict.NONE
    )


def dense(layer: str, inputs: int, units: int, **changes: object) -> list[Variable]:
    return [
        weight(f"{layer}/kernel", inputs, units, **changes),
        weight(f"{layer}/bias", units, **changes),
    ]


def names(variables: Iterable[Variable]) -> tuple[str, ...]:
    return tuple(variable.name for variable in variables)


def summary(variables: Iterable[Variable]) -> Summary:
    variables = list(variables)
    weights = [v for v in variables if v.role is Role.WEIGHT]
    live = [v for v in weights if v.trainable]
    counts = {verdict.value: sum(v.verdict is verdict for v in live) for verdict in Verdict}
    return Summary(
        weights=len(weights),
        **counts,
        frozen=len(weights) - len(live),
        state=len(variables) - len(weights),
        parameters=sum(v.parameters for v in weights),
        trainable_parameters=sum(v.parameters for v in live),
    )


def analyzed(path: str, variables: Iterable[Variable], **changes: object) -> ModelReport:
    variables = tuple(variables)
    values: dict[str, object] = {
        "path": path,
        "format": Format.KERAS,
        "producer": "keras 3.15.1",
        "entry": "call(training=True)",
        "objective": "outputs",
        "mode": Mode.TAPE,
        "status": Status.ANALYZED,
        "error": None,
        "inputs": (Input("x", (4, 6), "float32", "normal(seed=0)"),),
        "outputs": (Output("head", (4, 2), "float32"),),
        "variables": variables,
        "findings": (),
        "expectations": (),
        "summary": summary(variables),
    }
    return ModelReport(**{**values, **changes})


def healthy() -> Report:
    variables = [
        *dense("dense_0", 6, 6),
        *dense("head", 6, 2),
        state("dropout/seed_generator/seed", 2),
    ]
    return Report(TOOL, (analyzed("healthy.keras", variables),))


def two_towers() -> Report:
    """A tower behind a stop_gradient, one of its layers behind two cuts, and a frozen backbone."""
    stop = Cause(
        "GF201",
        "stop_gradient",
        op="net/target/StopGradient",
        op_type="StopGradient",
        layer="target",
        source="net.py:41",
    )
    rounding = Cause(
        "GF202",
        "non_differentiable",
        op="net/left/quantize",
        op_type="Round",
        layer="left",
        source="net.py:17",
    )
    tail = (
        "net/left/dense_1/MatMul",
        "net/left/dense_1/BiasAdd",
        "net/left/Relu",
        "net/target/StopGradient",
    )
    tail = (*tail, "net/merge/concat", "net/head/MatMul", "net/head/BiasAdd")
    first = dense(
        "left/dense_0",
        6,
        6,
        verdict=Verdict.NONE,
        causes=(stop,),
        cuts_to_restore=2,
        path=("net/left/dense_0/MatMul", "net/left/quantize", *tail),
    )
    second = dense(
        "left/dense_1", 6, 6, verdict=Verdict.NONE, causes=(stop,), cuts_to_restore=1, path=tail
    )
    backbone = [
        variable
        for block in range(4)
        for variable in dense(
            f"backbone/block_{block}/conv", 16, 16, trainable=False, frozen_by="backbone"
        )
    ]
    left_out = [weight("embedding_scale", 8, trainable=False)]
    other = weight(
        "router/kernel", 6, 3, verdict=Verdict.NONE, causes=(rounding, stop), cuts_to_restore=1
    )
    variables = [
        *first,
        *second,
        other,
        *backbone,
        *left_out,
        *dense("right", 6, 6),
        *dense("head", 12, 2),
    ]
    variables += [state("left/bn/moving_mean", 6), state("left/bn/moving_variance", 6)]
    findings = (
        Finding(
            "GF101",
            Severity.NOTE,
            "8 weights are frozen by backbone",
            hint="set backbone.trainable = True and save again",
            variables=names(backbone),
            cause=None,
        ),
        Finding(
            "GF201",
            Severity.ERROR,
            "gradient is cut by StopGradient 'net/target/StopGradient'",
            hint="remove the stop_gradient at net.py:41, or declare it in expect.cut",
            variables=names([*first, *second, other]),
            cause=stop,
            between=("left/dense_1", "merge"),
            reach=Reach(
                start=None,
                ends=("left/dense_1",),
                is_whole=True,
                layers=3,
                all_layers=9,
                frozen=0,
                parameters=102,
                all_parameters=1400,
            ),
        ),
        Finding(
            "GF202",
            Severity.ERROR,
            "gradient is cut by Round 'net/left/quantize'",
            hint="",
            variables=("router/kernel",),
            cause=rounding,
            between=("left", "left"),
        ),
    )
    expectations = (
        Expectation("frozen", "backbone/**", ExpectationStatus.KEPT, names(backbone)),
        Expectation("trainable", "left/**", ExpectationStatus.BROKEN, names([*first, *second])),
        Expectation("cut", "rigth/**", ExpectationStatus.UNMATCHED, ()),
    )
    model = analyzed(
        "models/two_towers.keras", variables, findings=findings, expectations=expectations
    )
    return Report(TOOL, (model,))


def routed() -> Report:
    """A passage through integers: leaves at ArgMax, comes back at OneHot, far away from the
    output."""
    cause = Cause(
        "GF202",
        "non_differentiable",
        op="moe/route/ArgMax",
        op_type="ArgMax",
        layer="route",
        reenters_at="moe/route/one_hot",
        source="experts.py:88",
    )
    path = (
        "moe/gate/MatMul",
        "moe/gate/BiasAdd",
        "moe/gate/Softmax",
        "moe/route/ArgMax",
        "moe/route/sub",
    )
    path = (
        *path,
        "moe/route/one_hot",
        "moe/mix/mul",
        *(f"moe/decoder_{n}/MatMul" for n in range(12)),
        "moe/head/add",
    )
    gate = dense("gate", 64, 8, verdict=Verdict.NONE, causes=(cause,), cuts_to_restore=1, path=path)
    variables = [
        *gate,
        *(v for n in range(8) for v in dense(f"experts/expert_{n}", 64, 64)),
        *dense("head", 64, 2),
    ]
    message = "gradient is cut by ArgMax 'moe/route/ArgMax' (not differentiable)"
    hint = "use a softmax over the experts, or a straight-through estimator"
    finding = Finding(
        "GF202",
        Severity.ERROR,
        message,
        hint=hint,
        variables=names(gate),
        cause=cause,
        between=("gate", "mix"),
    )
    model = analyzed(
        "moe_saved",
        variables,
        format=Format.SAVED_MODEL,
        producer="tensorflow 2.16.1",
        entry="serving_default",
        inputs=tuple(
            Input(f"feature_{n}", (4, 16), "int32", f"integers(0..{n}, seed=0)")
            if n % 2
            else Input(f"feature_{n}", (4, None), "float32", "normal(seed=0)")
            for n in range(9)
        ),
        findings=(finding,),
    )
    return Report(TOOL, (model,))


def unknown() -> Report:
    """A Keras file read without TensorFlow: freeze flags are known, verdicts are not."""
    unsure = {"verdict": Verdict.UNKNOWN, "confidence": Confidence.STATIC, "gradient": None}
    backbone = [
        v
        for n in (1, 2, 3, 7)
        for v in dense(f"backbone/conv_{n}", 3, 8, trainable=False, frozen_by="backbone", **unsure)
    ]
    model = analyzed(
        "classifier.keras",
        [*backbone, *dense("head", 8, 2, **unsure), state("bn/moving_mean", 8)],
        mode=Mode.STATIC,
        entry=None,
        inputs=(),
        outputs=(),
        findings=(
            Finding(
                "GF101",
                Severity.NOTE,
                "8 weights are frozen by backbone",
                hint="",
                variables=names(backbone),
                cause=None,
            ),
        ),
    )
    return Report(STATIC_TOOL, (model,))


def several() -> Report:
    """Three models, of which one could not be checked."""
    failure = Failure(
        "GF901", "layer 'MyAttention' is not known to Keras", "give its module with --import MODULE"
    )
    failed = analyzed(
        "broken.keras",
        (),
        status=Status.FAILED,
        error=failure,
        entry=None,
        inputs=(),
        outputs=(),
    )
    return Report(TOOL, (failed, *healthy().models, *two_towers().models))


def many() -> Report:
    """300 weights: a deep encoder behind a cut, an embedding, dead layers, NaN, rounding noise."""
    stop = Cause(
        "GF201", "stop_gradient", op="net/pool/StopGradient", op_type="StopGradient", layer="pool"
    )
    dead = Cause(
        "GF303", "dead", op="net/gate/Relu", op_type="Relu", layer="gate", source="gate.py:7"
    )
    bad = Cause("GF304", "nonfinite", op="net/norm/Log", op_type="Log", layer="norm")
    starved: list[Variable] = []
    for block in range(12):
        for place, part in enumerate(
            ("attention/query", "attention/key", "attention/value", "ffn/up", "ffn/down")
        ):
            ops = [f"net/encoder/block_{n}/{p}" for n in range(block, 12) for p in ("attn", "ffn")]
            path = (f"net/encoder/block_{block}/{part}/MatMul", *ops[place // 3 :])
            path = (*path, "net/pool/StopGradient", "net/head/MatMul")
            starved += dense(
                f"encoder/block_{block}/{part}",
                64,
                64,
                verdict=Verdict.NONE,
                causes=(stop,),
                cuts_to_restore=1,
                path=path,
            )
    odd = (
        "stem",
        "position",
        "type",
        "router",
        "adapter",
        "prompt",
        "bridge",
        "pooler",
        "lens",
        "mixer",
        "scale",
        "zoom",
    )
    for layer in odd:
        path = (
            f"net/{layer}/MatMul",
            *(f"net/body/step_{n}" for n in range(5)),
            "net/pool/StopGradient",
            "net/head/MatMul",
        )
        starved.append(
            weight(
                f"{layer}/kernel",
                64,
                64,
                verdict=Verdict.NONE,
                causes=(stop,),
                cuts_to_restore=1,
                path=path,
            )
        )
    zeros = {
        "verdict": Verdict.ZERO,
        "gradient": Gradient(0.0, 0.0, 1.0, None),
        "causes": (dead,),
        "cuts_to_restore": 0,
    }
    gates = [v for n in range(3) for v in dense(f"gate/gate_{n}", 64, 64, **zeros)]
    broken = [weight("norm/gamma", 64, verdict=Verdict.NONFINITE, causes=(bad,), cuts_to_restore=0)]
    flowing = [
        v
        for stage in range(4)
        for n in range(19)
        for v in dense(f"decoder/stage_{stage}/dense_{n}", 32, 32)
    ]
    noise = [
        weight(f"decoder/keys_{n}/bias", 64, gradient=Gradient(2e-8, 1e-8, 0.0, None))
        for n in range(8)
    ]
    table = weight("embedding/embeddings", 30522, 64, gradient=Gradient(3.5, 0.25, 0.9985, 46))
    variables = [table, *starved, *gates, *broken, *flowing, *noise]
    findings = (
        Finding(
            "GF305",
            Severity.NOTE,
            "gradient is rounding noise, 2e-08 beside a median of 1.25",
            hint="",
            variables=names(noise),
            cause=None,
        ),
        Finding(
            "GF303",
            Severity.WARNING,
            "gradient is exactly zero on this batch, first at Relu 'net/gate/Relu'",
            hint="",
            variables=names(gates),
            cause=dead,
        ),
        Finding(
            "GF201",
            Severity.ERROR,
            "gradient is cut by StopGradient 'net/pool/StopGradient'",
            hint="remove the stop_gradient, or move it to the branch that should not be trained",
            variables=names(starved),
            cause=stop,
            between=("lens", "head"),
            reach=Reach(
                start="stem",
                ends=("encoder/block_11/ffn/down", "mixer", "lens", "scale", "zoom"),
                is_whole=True,
                layers=72,
                all_layers=160,
                frozen=2,
                parameters=298_752,
                all_parameters=2_500_000,
            ),
        ),
        Finding(
            "GF304",
            Severity.ERROR,
            "gradient is NaN, first made by Log 'net/norm/Log'",
            hint="",
            variables=names(broken),
            cause=bad,
        ),
    )
    return Report(
        TOOL, (analyzed("runs/2026-01/encoder_decoder_large.keras", variables, findings=findings),)
    )


def frozen() -> Report:
    """A fine-tuning: a backbone frozen on purpose, an adapter frozen by mistake."""
    backbone = [*dense("stem", 8, 16, trainable=False, frozen_by="backbone")]
    backbone += dense("block", 16, 16, trainable=False, frozen_by="backbone")
    adapter = dense("adapter", 16, 16, trainable=False, frozen_by="adapter")
    hint = "set layer.trainable = True on the layer that is named, before compile(), and save again"
    findings = tuple(
        Finding(
            "GF101",
            Severity.NOTE,
            f"frozen by {layer}.trainable=False",
            hint=hint,
            variables=names(variables),
            cause=Cause("GF101", "frozen", layer=layer),
        )
        for layer, variables in (("backbone", backbone), ("adapter", adapter))
    )
    variables = [*backbone, *adapter, *dense("head", 16, 4)]
    return Report(TOOL, (analyzed("models/finetune.keras", variables, findings=findings),))


def expectations() -> Report:
    """What ``check`` judges: expectations kept, broken in both ways, and one that matches
    nothing."""
    (model,) = frozen().models
    by_name = {variable.name: variable for variable in model.variables}
    adapter, head = ("adapter/kernel", "adapter/bias"), ("head/kernel", "head/bias")
    loose = weight("backbone_norm/gamma", 16)
    findings = (
        *model.findings,
        Finding(
            "GF401",
            Severity.ERROR,
            "2 weights are frozen, and expect.trainable asks for them: adapter/**",
            hint="unfreeze the layer that is named and save again, or add the pattern to "
            "expect.frozen",
            variables=adapter,
            cause=None,
        ),
        Finding(
            "GF402",
            Severity.ERROR,
            "backbone_norm/gamma is trainable, and expect.frozen covers it: backbone_norm/**",
            hint="set layer.trainable = False before saving, or narrow the pattern",
            variables=(loose.name,),
            cause=None,
        ),
        Finding(
            "GF403",
            Severity.ERROR,
            "expect.cut: rigth/** matches no weight: did you mean head/**?",
            hint="correct the pattern; gradflow inspect MODEL --all lists the names",
            variables=(),
            cause=None,
        ),
        Finding(
            "GF404",
            Severity.WARNING,
            "frozen, and trainable in the baseline: stem/kernel",
            hint="",
            variables=("stem/kernel",),
            cause=None,
        ),
    )
    backbone = tuple(name for name, variable in by_name.items() if variable.frozen_by == "backbone")
    judged = (
        Expectation("frozen", "backbone/**", ExpectationStatus.KEPT, backbone),
        Expectation("frozen", "backbone_norm/**", ExpectationStatus.BROKEN, (loose.name,)),
        Expectation("trainable", "adapter/**", ExpectationStatus.BROKEN, adapter),
        Expectation("trainable", "head/**", ExpectationStatus.KEPT, head),
        Expectation("cut", "rigth/**", ExpectationStatus.UNMATCHED, ()),
    )
    variables = [*model.variables, loose]
    checked = analyzed(model.path, variables, findings=findings, expectations=judged)
    failure = Failure(
        "GF903", "the process ran out of memory", "lower --batch-size, or read it with --static"
    )
    unjudged = (Expectation("trainable", "head/**", ExpectationStatus.UNMATCHED, ()),)
    crashed = analyzed(
        "models/large.keras",
        (),
        status=Status.FAILED,
        error=failure,
        entry=None,
        expectations=unjudged,
    )
    return Report(TOOL, (checked, crashed))


def accepted() -> Report:
    """A model of which a configuration, a baseline and an option accept something, and one of which
    nothing is left to mend."""
    (model,) = routed().models
    first, *rest = model.findings
    by_line = Acceptance("gradflow.yaml:12", "unused head")
    by_baseline = Acceptance("baseline.json", "known when the baseline was taken")
    findings = (
        replace(first, variables=first.variables[1:]),
        replace(first, variables=first.variables[:1], accepted=by_line),
        *rest,
        Finding(
            "GF305",
            Severity.WARNING,
            "vanishing gradient",
            hint="",
            variables=first.variables[1:],
            cause=None,
            accepted=by_baseline,
        ),
    )
    by_option = Acceptance("ignore", "--ignore GF2")
    silenced = tuple(replace(finding, accepted=by_option) for finding in model.findings)
    return Report(
        TOOL,
        (
            replace(model, findings=findings),
            replace(model, path="models/silenced.keras", findings=silenced),
        ),
    )


HOSTILE = (
    "::error::x",
    "a\n::stop-commands::t\r",
    "\x1b[31mred\x1b]8;;https://evil.example\x07",
    "</summary></details><script>alert(1)</script>",
    "]]></failure><!--",
    "a|b\\|c",
    "@octocat #1 org/repo#2",
    "[link](https://evil.example) ![i](//evil.example/i.png)",
    "##[add-mask]secret",
    "<img src=x onerror=alert(1)>",
    "`code` ``` ~~~",
    "www.evil.example https://evil.example a@evil.example",
    "%0A::error::y,title=z:{0}",
    "$x$ :tada: **bold** _it_",
    "\u202egpj.exe\u200b",
    "\udcff \ud800",
    " padded ",
    "",
    "\x00\ufffe",
)
"""Names that a model file can hold, each of which some reader of a report would obey."""


def hostile(texts: Iterable[str] = HOSTILE[:8]) -> Report:
    """Every text of the file is one that a terminal, a browser, a Markdown or XML parser or a CI
    log would obey."""
    models = []
    for place, name in enumerate(texts):
        stop = Cause(
            "GF201",
            "stop_gradient",
            op=f"{name}/stop",
            op_type=name,
            layer=name,
            source=f"{name}.py:4",
        )
        variable = weight(
            f"{name}/kernel",
            2,
            layer=name,
            frozen_by=name,
            verdict=Verdict.NONE,
            causes=(stop,),
            cuts_to_restore=1,
            path=(name, f"{name}/stop", f"{name}/out"),
        )
        finding = Finding(
            "GF201",
            Severity.ERROR,
            f"stopped by {name!r} {name}",
            hint=name,
            variables=(variable.name,),
            cause=stop,
        )
        judged = (Expectation("frozen", name, ExpectationStatus.BROKEN, (variable.name,)),)
        made = {"producer": name, "entry": name, "inputs": (Input(name, (1,), name, name),)}
        made |= {
            "outputs": (Output(name, (1,), "float32"),),
            "expectations": judged,
            "findings": (finding,),
        }
        models.append(analyzed(f"{name or 'm'}.keras", [variable], **made))
        if place % 4 == 0:
            failed = {"status": Status.FAILED, "error": Failure("GF901", name, name)}
            models.append(analyzed(f"failed/{name}", (), **failed))
    return Report(TOOL, tuple(models))


CANONICAL = {
    "healthy": healthy,
    "two_towers": two_towers,
    "routed": routed,
    "unknown": unknown,
    "several": several,
    "many": many,
    "frozen": frozen,
    "expectations": expectations,
    "accepted": accepted,
    "hostile": hostile,
}
IN_EVERY_FORMAT = {
    "healthy": healthy,
    "cut": routed,
    "frozen": frozen,
    "several": several,
    "expectations": expectations,
    "accepted": accepted,
    "hostile": hostile,
}
"""What every format is shown on."""

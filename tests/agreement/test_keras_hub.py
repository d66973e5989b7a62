"""Backbones and tasks of keras-hub: the tape's word for each weight, and no finding but what is
true of the model."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from gradflow.findings import Failure, Finding, Severity
from tests.agreement.compare import Score, compare_with_tape
from tests.agreement.subject import report_on_file
from tests.agreement.test_real_models import specs_of_report

HAS_KERAS_HUB = importlib.util.find_spec("keras_hub") is not None
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.slow,
    pytest.mark.skipif(
        not HAS_KERAS_HUB, reason="keras-hub is not installed: pip install -e '.[slow]'"
    ),
]

NAMES = (
    "AlbertBackbone BartBackbone BertBackbone BloomBackbone CLIPBackbone CSPNetBackbone "
    "DINOV2Backbone "
    "DebertaV3Backbone DeepLabV3Backbone DeiTBackbone DenseNetBackbone DistilBertBackbone "
    "ESMBackbone "
    "EfficientNetBackbone ElectraBackbone FNetBackbone FalconBackbone GPT2Backbone "
    "GPTNeoXBackbone Gemma3Backbone "
    "GemmaBackbone HGNetV2Backbone LlamaBackbone MiTBackbone MistralBackbone MixtralBackbone "
    "MobileNetBackbone "
    "MoonshineBackbone OPTBackbone Phi3Backbone Qwen3Backbone QwenBackbone ResNetBackbone "
    "RetinaNetBackbone "
    "RobertaBackbone RoformerV2Backbone SAMBackbone SegFormerBackbone SigLIPBackbone "
    "SwinTransformerBackbone "
    "T5Backbone VAEBackbone VGGBackbone ViTBackbone ViTDetBackbone WhisperBackbone "
    "XLMRobertaBackbone XLNetBackbone "
    "XceptionBackbone BertMaskedLM BertTextClassifier BartSeq2SeqLM BloomCausalLM GPT2CausalLM "
    "GemmaCausalLM "
    "LlamaCausalLM OPTCausalLM RobertaMaskedLM RobertaTextClassifier DistilBertTextClassifier "
    "FNetTextClassifier "
    "DeepLabV3ImageSegmenter SegFormerImageSegmenter ResNetImageClassifier ViTImageClassifier "
    "MobileNetImageClassifier SAMImageSegmenter"
).split()
"""Those of ``tests.models.hub.BUILDERS``, which cannot be imported where keras-hub is absent."""

_UNTIED = {"GF206": r"^token_embedding/reverse_embeddings$"}
_PROMPTS = {
    # Normal numbers are none of the labels -1, 0 and 1, by which SAM chooses what it adds to a
    # point.
    "GF303": r"(background|not_a)_point_embed/embeddings$",
    # A batch with masks leaves out what stands for none; exported, that is a branch.
    "GF206": r"no_mask_embed/embeddings$",
    "GF302": r"no_mask_embed/embeddings$",
}
TRUE_FINDINGS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        # Used with masks only, and the call gives it none.
        "DINOV2Backbone": {"GF206": r"/mask_token$"},
        # The head that turns features into words back again belongs to the causal LM; a backbone
        # ends before it.
        "LlamaBackbone": _UNTIED,
        "MistralBackbone": _UNTIED,
        "MixtralBackbone": _UNTIED,
        "Phi3Backbone": _UNTIED,
        # A feature pyramid of two levels leaves out the last stage of its encoder.
        "RetinaNetBackbone": {"GF206": r"^stack3_"},
        # Its sinusoids are frozen, and an export unfreezes them where a TFSMLayer loads it.
        "WhisperBackbone": {"GF102": r"^encoder_position_embedding/embeddings"},
        "XLNetBackbone": {"GF206": r"/mask_emb$"},  # for the two-stream attention of pretraining
        "BertMaskedLM": {"GF206": r"^pooled_dense/"},  # for the classifier
        "SAMBackbone": _PROMPTS,
        "SAMImageSegmenter": _PROMPTS,
    }
)
"""By code, what is in the name of each weight that truly gets no gradient."""
INPUTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # The sizes depend on each other: a mask has half the image's side, a label for each point.
        "SAMImageSegmenter": (
            "points=float32[4,2,2]",
            "labels=float32[4,2]",
            "boxes=float32[4,1,2,2]",
            "masks=float32[4,1,32,32,1]",
        ),
        # Strides of 64, 3 and 2: a sound of some length for each of the few words.
        "MoonshineBackbone": (
            "encoder_input_values=float32[4,4000,1]",
            "encoder_padding_mask=bool[4,4000]",
            "decoder_padding_mask=bool[4,6]",
            "decoder_token_ids=int32[4,6]",
        ),
    }
)


def test_every_model_has_a_builder() -> None:
    from tests.models.hub import BUILDERS

    assert sorted(NAMES) == sorted(BUILDERS)


@pytest.mark.parametrize("kind", ["keras", "export"])
@pytest.mark.parametrize("name", NAMES)
def test_every_model_agrees_and_has_only_true_findings(
    name: str, kind: str, tmp_path: Path
) -> None:
    score = run_hub(name, kind, tmp_path)
    print(score.line())
    assert score.complaints == []
    assert score.agreed == score.weights > 0


def run_hub(name: str, kind: str, folder: Path) -> Score:
    """Build the model with random weights, save it, and hold gradflow's report against the tape."""
    from tests.models.hub import build
    from tests.models.oracle import measure_file
    from tests.models.planted import save

    model = build(name)
    weights = len(
        {
            id(variable)
            for layer in model._flatten_layers()
            for variable in layer._trainable_variables
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = save(model, folder, kind)
    report = report_on_file(path, INPUTS.get(name, ()))
    if isinstance(report, Failure):
        return Score(models=1, complaints=[f"not analysed: {report.message}"])
    specs = specs_of_report(report)
    score = compare_with_tape(report, lambda seed: measure_file(path, specs, seed=seed))
    if score.weights != weights:
        score.complaints.append(f"{score.weights} weights reported, the model has {weights}")
    truths = TRUE_FINDINGS.get(name, {})
    score.complaints += [
        f"{finding.code} {finding.severity.value}: {finding.message}: {finding.variables}"
        for finding in report.findings
        if finding.severity is not Severity.NOTE and not _is_true(finding, truths)
    ]
    return score


def _is_true(finding: Finding, truths: Mapping[str, str]) -> bool:
    pattern = truths.get(finding.code)
    return pattern is not None and all(re.search(pattern, name) for name in finding.variables)

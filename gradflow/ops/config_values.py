"""Say what a value in the configuration of a Keras layer is, in the words of the layer table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

FLOAT, INT = "float", "int"
_PLAIN_POLICIES = ("DTypePolicy", "FloatDTypePolicy", "Policy")
_OWN = ("keras.quantizers",)
_INTEGERS = re.compile(r"u?int\d+|bool|string")


def text_of(value: object) -> str:
    """Return a value as the table writes it."""
    if isinstance(value, str):
        return value
    return json.dumps(_plain(value), default=str, separators=(",", ":"), sort_keys=True)


def _plain(value: object) -> object:
    """Return a JSON value with whole numbers written in one way."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def is_numbers(value: object) -> bool:
    """Return whether a value is a number, or a list or an object of them."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return all(item is None or is_numbers(item) for item in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def policy_of(config: Mapping[str, object]) -> str:
    """Return how a layer is quantized; ``float`` where it is not."""
    policy, quantization = config.get("dtype"), config.get("quantization_config")
    if not isinstance(policy, Mapping) or policy.get("class_name") in _PLAIN_POLICIES:
        return "unknown" if quantization else FLOAT
    inner = policy.get("config")
    mode = inner.get("mode") if isinstance(inner, Mapping) else None
    is_plain = quantization is None or all(
        quantizer is None or (isinstance(quantizer, Mapping) and quantizer.get("module") in _OWN)
        for quantizer in _quantizers(quantization)
    )
    return str(mode).partition("/")[0] if mode and is_plain else "unknown"


def _quantizers(quantization: object) -> Iterable[object]:
    """Return the functions that a quantized layer rounds with."""
    config = quantization.get("config") if isinstance(quantization, Mapping) else None
    if not isinstance(config, Mapping):
        return ["unknown"]
    return [config.get("weight_quantizer"), config.get("activation_quantizer")]


def dtype_of(config: Mapping[str, object]) -> str:
    """Return whether a layer is told to compute in ``float`` or in ``int``."""
    policy = config.get("dtype")
    if isinstance(policy, Mapping):
        inner = policy.get("config")
        policy = inner.get("name") if isinstance(inner, Mapping) else None
    return INT if _INTEGERS.fullmatch(str(policy)) else FLOAT

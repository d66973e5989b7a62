"""Build the tree of a Keras model's layers, with their freeze flags, from its JSON
configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeGuard

from gradflow.errors import SAVE_AGAIN, DamagedError

_MAX_DEPTH = 100
_NO_LAYERS = ("dtype", "build_config", "compile_config", "quantization_config")


@dataclass(frozen=True, slots=True, eq=False)
class LayerConfig:
    """One layer (or model) as the configuration describes it."""

    name: str
    class_name: str
    """Without the package that ``register_keras_serializable`` puts before it."""
    trainable: bool
    """The layer's own flag; its variables follow this one, whatever the layers around it say (see
    ``frozen``)."""
    built: bool
    """The file carries its input shape: Keras builds the layer on its own, outside its parent's
    name scope."""
    options: Mapping[str, object]
    parent: LayerConfig | None
    module: str | None = None
    """The package that defines the class, where the file says so; empty for a registered one."""
    described: Mapping[str, object] = field(default_factory=dict)
    """The JSON value that the layer was read from; empty for one that another layer makes in
    code."""
    parts: dict[str, tuple[LayerConfig, ...]] = field(default_factory=dict)
    """Layers inside this one by the key that holds them: ``layers``, ``layer``, ``backward_layer``,
    ``cell``, ..."""

    @property
    def is_model(self) -> bool:
        """Whether it is a container of layers (Functional, Sequential, Model of Keras 1 and 2)."""
        return "layers" in self.parts

    @property
    def path(self) -> str:
        """The ``path`` that the layer has after ``keras.models.load_model`` (Keras 3.15)."""
        alone = (
            self.parent is None
            or self.built
            or (self.parent.is_model and self.parent.class_name != "Sequential")
        )
        return self.name if alone or self.parent is None else f"{self.parent.path}/{self.name}"

    @property
    def nested_name(self) -> str:
        """The names of the layers around it and its own, without the model's: unique where names
        repeat."""
        names = [layer.name for layer in self.lineage()[1:]]
        return "/".join(names) or self.name

    def lineage(self) -> list[LayerConfig]:
        """Return the layers from the model down to this one."""
        above: list[LayerConfig] = [] if self.parent is None else self.parent.lineage()
        return [*above, self]

    def below(self) -> Iterator[LayerConfig]:
        """This layer and every layer inside it, depth first."""
        yield self
        for layers in self.parts.values():
            for layer in layers:
                yield from layer.below()


def read_config(value: object, shown_path: str) -> LayerConfig:
    """Read a model's configuration (``config.json``, or the HDF5 attribute ``model_config``).

    Args:
        value: its JSON value.
        where: the file, for messages.

    Raises:
        DamagedError: it is not the configuration of a Keras model.
    """
    if not _is_layer(value):
        raise DamagedError(
            f"{shown_path}: the model configuration names no Keras class", SAVE_AGAIN
        )
    return _layer(value, None, shown_path, 0)


def parse_json(text: str | bytes, shown_path: str) -> Any:
    """Return the JSON value of a model's configuration.

    Raises:
        DamagedError: it is not JSON.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise DamagedError(
            f"{shown_path}: the model configuration is nested too deeply", SAVE_AGAIN
        ) from None
    except ValueError:
        raise DamagedError(
            f"{shown_path}: the model configuration is not valid JSON", SAVE_AGAIN
        ) from None


def is_of_keras2(version: str | None) -> bool:
    """Return whether a Keras 1 or 2 of this version wrote a file, and so Keras 2 loads it as it
    was."""
    return version is not None and version.partition(".")[0] in ("0", "1", "2")


def frozen(layer: LayerConfig, *, is_keras2: bool = False) -> tuple[bool, LayerConfig | None]:
    """Return whether the weights of ``layer`` are frozen once Keras has loaded the file, and the
    layer to name for it.

    Keras restores flags layer by layer: a layer whose own flag is true trains under a frozen
    submodel (Keras 3.15, layers/layer.py and models/functional.py: the flag is set before the
    layers are tracked). Only the flag of the model itself covers everything, but
    Sequential.from_config drops its own. In Keras 2 a frozen layer freezes whatever is inside
    (tf_keras 2.21, engine/base_layer.py: ``trainable_weights`` is then empty).
    """
    lineage = layer.lineage()
    if is_keras2:
        outermost = next(
            (above for above in lineage if not above.trainable and not _forgets_flag(above)), None
        )
        return outermost is not None, outermost
    model = lineage[0]
    covered = not model.trainable and not _forgets_flag(model)
    if layer.trainable and not covered:
        return False, None
    return True, next(above for above in lineage if not above.trainable)


def _forgets_flag(layer: LayerConfig) -> bool:
    return layer.class_name == "Sequential"


@lru_cache(maxsize=1024)
def snake_case(class_name: str) -> str:
    """Return the name under which Keras stores an object of this class (keras/src/utils/naming.py,
    3.15)."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


_EXPORTED_AS = {"GroupQueryAttention": "GroupedQueryAttention"}
"""Classes of Keras that a file knows by another name than their own (Keras 3.15)."""


def _layer(
    value: dict[str, object], parent: LayerConfig | None, shown_path: str, depth: int
) -> LayerConfig:
    if depth > _MAX_DEPTH:
        raise DamagedError(
            f"{shown_path}: layers are nested more than {_MAX_DEPTH} deep", SAVE_AGAIN
        )
    class_name = str(value["class_name"]).rsplit(">", maxsplit=1)[-1]
    class_name = _EXPORTED_AS.get(class_name, class_name)
    config = value["config"]
    # Sequential of Keras 1 and 2.0 to 2.2 stores its list of layers in place of the configuration.
    options: dict[str, object] = (
        {"layers": config} if isinstance(config, list) else dict(_mapping(config))
    )
    layer = LayerConfig(
        name=str(options.get("name") or value.get("name") or snake_case(class_name)),
        class_name=class_name,
        trainable=options.get("trainable") in (True, None),
        built=bool(value.get("build_config") or options.get("build_input_shape")),
        options=options,
        parent=parent,
        module=_module(value),
        described=value,
    )
    for key, inner in options.items():
        inner_configs = () if key in _NO_LAYERS else _layers_in(key, inner)
        if inner_configs or (key == "layers" and isinstance(inner, list)):
            layer.parts[key] = tuple(
                _layer(inner_config, layer, shown_path, depth + 1) for inner_config in inner_configs
            )
    return layer


def _module(value: Mapping[str, object]) -> str | None:
    """The top package of a layer's class; empty for one that its author registered."""
    names = (value.get("class_name"), value.get("registered_name"))
    if any(isinstance(name, str) and ">" in name for name in names):
        return ""
    module = value.get("module")
    return module.partition(".")[0] if isinstance(module, str) else None


def _layers_in(key: str, value: object) -> list[dict[str, object]]:
    candidates: list[object] = value if isinstance(value, list) else [value]
    return [
        candidate
        for candidate in candidates
        if _is_layer(candidate) and (key == "layers" or _looks_like_layer(candidate))
    ]


def _is_layer(value: object) -> TypeGuard[dict[str, object]]:
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        return False
    return isinstance(value.get("config"), (dict, list))


def _looks_like_layer(value: dict[str, object]) -> bool:
    # Initializers, regularizers and policies are configured the same way, but have no name and no
    # flag.
    config = _mapping(value["config"])
    return "trainable" in config or "layers" in config


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}

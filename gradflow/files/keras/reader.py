"""Read the variables of a Keras file (``.keras`` or HDF5) with their freeze flags; without
TensorFlow and Keras."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from gradflow.errors import UnreadableError
from gradflow.files.freezing import Doubt, FreezeDoubt
from gradflow.files.keras.archive import read_archive
from gradflow.files.keras.config import LayerConfig, is_of_keras2
from gradflow.files.keras.freezing import keras2_doubts, keras_doubts
from gradflow.files.keras.h5 import read_h5
from gradflow.files.keras.slots import slot_doubts
from gradflow.files.keras.variables import describe
from gradflow.files.model_file import ModelFile, StoredVariable
from gradflow.findings import Format
from gradflow.lazy_dataclass import dataclass
from gradflow.text import shown


@dataclass(frozen=True, slots=True)
class KerasContents:
    """What a Keras file says without being loaded."""

    model_name: str
    producer: str | None
    """For example ``keras 3.15.1``; None where the file does not say."""
    variables: tuple[StoredVariable, ...]
    """In the order of the layers. Optimizer, metrics and seeds of random layers are not among
    them."""
    model: LayerConfig
    places: Mapping[str, tuple[LayerConfig, str]]
    """Where each variable stands, by its name: the innermost layer around it that the
    configuration describes, and the path below that layer (``kernel``, ``lstm_cell/kernel``)."""
    layer_classes: Mapping[str, str]
    """Class of every configured layer by its path, the model itself included."""
    doubts: tuple[FreezeDoubt, ...]
    doubts_in_keras3: tuple[FreezeDoubt, ...]
    """What is doubtful once Keras 3 has loaded the file, whatever wrote it."""


def read_keras(file: ModelFile) -> KerasContents:
    """Read the variables, the layers and the producer of a Keras file, once.

    Raises:
        UnreadableError: the file is damaged or incomplete.
    """
    return file.once(_contents)


def _contents(file: ModelFile) -> KerasContents:
    shown_path = shown(file.path)
    try:
        if file.format is Format.KERAS:
            config, owned, version = read_archive(file)
        elif file.format is Format.H5:
            config, owned, version = read_h5(file)
        else:
            raise UnreadableError(f"{shown_path}: not a Keras file ({file.format.value})", "")
    except OSError as error:
        raise UnreadableError(
            f"{shown_path}: cannot be read ({error.strerror or error})", "check the file"
        ) from error
    variables = loaded = describe(owned)
    doubts = doubts_in_keras3 = keras_doubts(owned, loaded)
    if is_of_keras2(version):
        variables = describe(owned, is_keras2=True)
        doubts, doubts_in_keras3 = keras2_doubts(variables, loaded)
    unsaid = tuple(variable.name for variable in variables if variable.has_open_flag)
    if unsaid:
        doubts = (FreezeDoubt(Doubt.FOREIGN_CLASS, unsaid), *_about_others(doubts, {*unsaid}))
    late = slot_doubts(file, variables)
    return KerasContents(
        model_name=config.name,
        producer=None if version is None else f"keras {version}",
        variables=variables,
        model=config,
        places={
            variable.name: (stored.described, stored.path_below)
            for variable, stored in zip(variables, owned, strict=True)
        },
        layer_classes=_classes(config),
        doubts=(*late, *doubts),
        doubts_in_keras3=(*late, *doubts_in_keras3),
    )


def _about_others(doubts: Iterable[FreezeDoubt], names: Collection[str]) -> Iterator[FreezeDoubt]:
    """Yield ``doubts`` as far as they are not about the weights called ``names``."""
    for doubt in doubts:
        others = tuple(name for name in doubt.variables if name not in names)
        if others:
            yield replace(doubt, variables=others)


def _classes(model: LayerConfig) -> Mapping[str, str]:
    classes: dict[str, str] = {}
    for layer in model.below():
        key = layer.path if layer.path not in classes else layer.nested_name
        classes.setdefault(key, layer.class_name)
    return classes

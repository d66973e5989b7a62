"""The answer key of tiny Keras models: as a .keras file, exported as a SavedModel, and in
memory."""

from tests.models.keras_key import control, cuts, quiet, values
from tests.models.keras_key.case import KERAS_CASES, KerasCase, truths_of

__all__ = ["KERAS_CASES", "KerasCase", "truths_of"]
_TOPICS = (control, cuts, quiet, values)

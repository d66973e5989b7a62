"""Define the errors that gradflow raises on purpose: what, where, and what to do."""

from __future__ import annotations

FETCH_AGAIN = "copy or download it again, or save the model again"
"""What to do about a file that is cut short, or was damaged on its way."""
SAVE_AGAIN = "the file is damaged: save the model again"
"""What to do about a file that contradicts itself."""


class GradflowError(Exception):
    """Something that could not be checked, said in one line.

    ``message`` names the thing and the cause, ``remedy`` what to do about it, ``hint`` this and
    what can be done without it, ``code`` the catalogue entry (GF901 unreadable, GF902 unsafe, GF903
    crashed).
    """

    code = "GF901"

    def __init__(self, message: str, remedy: str = "", otherwise: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.hint = ", or ".join(filter(None, (remedy, otherwise)))

    def __str__(self) -> str:
        """Return the cause, and what to do about it."""
        return "; ".join(filter(None, (self.message, self.hint)))


class UnreadableError(GradflowError):
    """The path holds no model that gradflow can read (GF901)."""

    code = "GF901"


class NoModelError(UnreadableError):
    """The file is whole and of a form that models have, and holds something else: weights alone, or
    data (GF901)."""

    code = "GF901"


class DamagedError(UnreadableError):
    """The file is a model, and broken or incomplete, so that nothing can load it (GF901)."""

    code = "GF901"


class UnsafeError(GradflowError):
    """The model could do something besides computing, and was not loaded (GF902)."""

    code = "GF902"


class CrashedError(GradflowError):
    """The process that ran the model died, hung or ran out of memory (GF903)."""

    code = "GF903"


class InputError(GradflowError):
    """No input could be made for the model, or the given one does not fit (GF901)."""

    code = "GF901"


class NoWeightsError(GradflowError):
    """The model has no weights and cannot get any: there is nothing to check."""


class UsageError(GradflowError):
    """An option names something that the model does not have (GF901)."""

    code = "GF901"


_SIGNS_OF_MEMORY = (
    "OOM when allocating",
    "bad_alloc",
    "Unable to allocate",
    "Cannot allocate memory",
)
"""How TensorFlow, C++, NumPy and the system say it (TensorFlow 2.21, NumPy 2.3)."""


def is_lack_of_memory(error: BaseException | None) -> bool:
    """Return whether ``error``, or what it was raised for, is a lack of memory."""
    for _ in range(20):
        if error is None:
            return False
        if isinstance(error, MemoryError) or any(sign in str(error) for sign in _SIGNS_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False

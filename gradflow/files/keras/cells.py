"""List the cells of a recurrent layer."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.files.keras.config import LayerConfig


def cells_of(layer: LayerConfig) -> Sequence[LayerConfig]:
    """Return the cells of an RNN, in their order, those of stacks in place of the stacks."""
    cells: list[LayerConfig] = []
    waiting = list(reversed(layer.parts.get("cell", ())))
    while waiting:
        cell = waiting.pop()
        if cell.class_name == "StackedRNNCells":
            waiting += reversed(cell.parts.get("cells", ()))
        else:
            cells.append(cell)
    return cells

"""Tell the layers that own weights from the scopes that their ops stand in."""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.flow.nested import scopes_of


class ScopeOwners:
    """Finds the layer in a scope: of a SavedModel, ``backbone/stem/Gelu`` stands in the layer
    ``stem``, which its weights are named after, and that in ``backbone``."""

    def __init__(self, owners: Iterable[str]) -> None:
        """Keep the names of the layers that own weights."""
        self._owners = frozenset(owners)
        self._longest = max((name.count("/") + 1 for name in self._owners), default=0)
        self._layers: dict[str, str] = {}
        self.outside: dict[str, tuple[str, ...]] = {}
        """Of a layer whose name lacks the scopes around it: all that it stands in, outermost
        first."""

    def layer_of(self, scope: str | None) -> str | None:
        """Return the layer that ``scope`` stands in, or ``scope`` where no weight tells."""
        if scope is None:
            return None
        if scope not in self._layers:
            self._layers[scope] = self._found(scope)
        return self._layers[scope]

    def _found(self, scope: str) -> str:
        parts = scope.split("/")
        for length in range(min(self._longest, len(parts)), 0, -1):
            for start in range(len(parts) - length + 1):
                name = "/".join(parts[start : start + length])
                if name in self._owners:
                    if start:
                        around = ("/".join(parts[:end]) for end in range(1, start + 1))
                        self.outside.setdefault(name, (*around, *scopes_of(name)))
                    return name
        return scope

"""Tell the layers that own weights from the scopes that their ops stand in."""

from __future__ import annotations

from collections.abc import Iterable

from gradflow.flow.nested import scopes_of

_DEEPEST = 32
"""Parts of a name that are looked at: a file can have names of any length."""


class ScopeOwners:
    """Finds the layer in a scope: of a SavedModel, ``backbone/stem/Gelu`` stands in the layer
    ``stem``, which its weights are named after, and that in ``backbone``."""

    def __init__(self, owners: Iterable[str]) -> None:
        """Keep the names of the layers that own weights."""
        self._owners = frozenset(owners)
        self._longest = max((name.count("/") + 1 for name in self._owners), default=0)
        self._found: dict[str, str | None] = {}
        self.outside: dict[str, tuple[str, ...]] = {}
        """Of a layer whose name lacks the scopes around it: all that it stands in, outermost
        first."""

    def layer_of(self, scope: str | None) -> str | None:
        """Return the layer that ``scope`` stands in, or ``scope`` where no weight tells."""
        if scope is None:
            return None
        return self.owner_of(scope) or scope

    def owner_of(self, scope: str) -> str | None:
        """Return the layer with weights that ``scope`` stands in."""
        if scope not in self._found:
            self._found[scope] = self._find(scope)
        return self._found[scope]

    def _find(self, scope: str) -> str | None:
        parts = scope.split("/", _DEEPEST)[:_DEEPEST]
        for length in range(min(self._longest, len(parts)), 0, -1):
            for start in range(len(parts) - length + 1):
                name = "/".join(parts[start : start + length])
                if name in self._owners:
                    if start:
                        around = ("/".join(parts[:end]) for end in range(1, start + 1))
                        self.outside.setdefault(name, (*around, *scopes_of(name)))
                    return name
        return None

"""Step again while dropout may be why a unit gets no gradient, so that it is not called dead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gradflow.diagnose import Measurement, Sighting
from gradflow.findings import Verdict
from gradflow.flow.graph import Edge
from gradflow.flow.nearest import nearest_branch
from gradflow.tape.measure import measure
from gradflow.tape.replay.locate import Scene, Sightings, dying
from gradflow.tape.stepped import Measurements, Stepped

_ODDS = 1e-3
"""How likely it may be that a unit which is not dead was dropped in each draw."""
_EVEN = 0.5
"""The chance to begin with for what was dropped in each draw and not where it was looked at."""
_LOOKS = 8
"""How often a step is run op by op to see what else is wrong with a unit."""
_PROBES = (10, 20, 50, 100)
"""What is proposed for ``--probes``, which takes no more: in wide steps, for chances are only
estimated."""


def drawn_further(
    stepped: Stepped, measured: Measurements, scene: Scene, names: Sequence[str]
) -> tuple[Measurements, Sightings]:
    """Draw on until the odds that one of ``names``, to which nothing arrives, was only dropped at
    random are small.

    Returns:
        What is measured now, and where the gradients die that do not arrive still.
    """
    deaths = dict(dying(scene, names))
    chances = {name: _chance(deaths[name]) for name in deaths}
    # Where the step was run op by op, they were not dropped.
    open_there = [name for name in names if name not in deaths and scene.draws_gradient(name)]
    chances.update(dict.fromkeys(open_there, _EVEN))
    branches = nearest_branch(stepped.graph)
    drawn = {
        name: stepped.options.draws if branches.node(stepped.attributions[name]) is None else 1
        for name in names
    }

    def dropped(*, is_likely: bool) -> list[str]:
        """Return what is zero and can be dropped at random; likely so, or hardly."""
        return [
            name
            for name, chance in chances.items()
            if chance and _is_lost(measured[name]) and (chance ** drawn[name] >= _ODDS) is is_likely
        ]

    number = stepped.options.draws
    while any(drawn[name] < stepped.options.most_draws for name in dropped(is_likely=True)):
        probed = stepped.probe(number)
        number += 1
        drawn = {name: count + 1 for name, count in drawn.items()}
        measured = _with_alive(measured, probed, dropped(is_likely=True))
    there = {name: measure(scene.trail.gradient_of(name)) for name in open_there}
    # Only the tape says of None that a gradient arrives in its place.
    zero = [name for name in there if measured[name].verdict is Verdict.ZERO]
    measured = _with_alive(measured, there, zero)
    deaths.update(_other_deaths(stepped, dropped(is_likely=False)))
    return measured, {
        name: tuple(_worded(sighting, chances.get(name, 0.0), drawn[name]) for sighting in deadly)
        for name, deadly in deaths.items()
        if _is_lost(measured[name])
    }


def _is_lost(measurement: Measurement) -> bool:
    """Return whether nothing arrives; where a branch is run eagerly, that is None."""
    return measurement.verdict in (Verdict.ZERO, Verdict.NONE)


def _with_alive(measured: Measurements, probed: Measurements, names: Iterable[str]) -> Measurements:
    """Return ``measured``, with those of ``names`` that get a gradient in ``probed``."""
    revived = {name: probed[name] for name in names if probed[name].verdict is Verdict.FLOWS}
    return {**measured, **revived}


def _chance(sightings: Iterable[Sighting]) -> float:
    """Return how likely it is that all ways are closed that are closed by chance; 0 where none
    is."""
    chances = [sighting.chance for sighting in sightings if sighting.chance]
    return math.prod(chances) if chances else 0.0


def _other_deaths(stepped: Stepped, names: Sequence[str]) -> Mapping[str, tuple[Sighting, ...]]:
    """Look again until something else than a drop is seen to be wrong with what gets no gradient in
    more draws than chance explains."""
    deaths: dict[str, tuple[Sighting, ...]] = {}
    for _ in range(_LOOKS):
        waiting = [name for name in names if name not in deaths]
        scene = stepped.scene() if waiting else None
        if scene is None:
            break
        seen = dying(scene, waiting)
        deaths.update({name: seen[name] for name in seen if not _chance(seen[name])})
    return deaths


def _worded(sighting: Sighting, chance: float, drawn: int) -> Sighting:
    if not sighting.chance:
        return sighting
    needed = math.log(_ODDS) / math.log(chance)
    proposed = next((probes for probes in _PROBES if probes >= needed), _PROBES[-1])
    by_chance = ", by chance" if sighting.kind is Edge.UNTAKEN else ""
    return replace(
        sighting,
        detail=f"{sighting.detail}{by_chance}: dropped in every draw ({drawn})",
        fix=f"harmless, in other draws it gets a gradient: --probes {proposed}",
        harmless=True,
    )

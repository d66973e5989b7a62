"""Every scenario of users stands in the answer key, or says why no file can show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.scenarios import FALSE_ALARMS, LAST, SCENARIOS, Covered

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parents[2]


def test_no_scenario_is_left_out() -> None:
    assert sorted(SCENARIOS) == list(range(1, LAST + 1))
    seen = sum(not covered.unseen for covered in SCENARIOS.values())
    print(f"{seen} of {LAST} scenarios can be seen in a file and are in the key")


@pytest.mark.parametrize(
    "covered", [*SCENARIOS.values(), *FALSE_ALARMS.values()], ids=[*SCENARIOS, *FALSE_ALARMS]
)
def test_what_covers_it_exists(covered: Covered) -> None:
    from tests.models.flags import CASES as FLAGS
    from tests.models.functions import CASES
    from tests.models.keras_key import KERAS_CASES

    assert bool(covered.function or covered.keras or covered.flags or covered.test) != bool(
        covered.unseen
    )
    assert set(covered.function) <= set(CASES)
    assert set(covered.keras) <= set(KERAS_CASES)
    assert set(covered.flags) <= set(FLAGS)
    for place in covered.test:
        file, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), place

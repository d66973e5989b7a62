"""The long form, by hand: ``python -m tests.fuzz [--count 20000] [--first 0] [--kind KIND]``."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.mutations import KINDS
from tests.fuzz.run import fuzz


def main() -> int:
    """Fuzz and print what came of it; 1 where something should not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--count", type=int, default=20000, help="damaged models of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--kind", choices=sorted(KINDS), action="append")
    given = parser.parse_args()
    faults = 0
    for kind in given.kind or KINDS:
        result = fuzz(kind, given.first, given.count)
        print(
            kind,
            ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(result.counts.items())),
            flush=True,
        )
        for outcome, seed, words in result.faults[:20]:
            print(f"  {kind} {seed}: {outcome}: {words.strip().splitlines()[-1][:200]}")
        faults += len(result.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

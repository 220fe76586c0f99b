"""`make soak`: a million simulated sagas with random faults, on every core, from one seed."""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import django

import tests.environment  # noqa: F401  before Django reads it

django.setup()

from orchestration.testing.soak import SAGAS_A_WORLD, SoakResult, soak_one  # noqa: E402
from orchestration.testing.sweep import simulated  # noqa: E402
from tests.simulation.locks import FAKES, SCENARIOS  # noqa: E402

CHUNK = 50
"""Worlds that a process simulates at a time."""


def main() -> int:
    asked = _arguments()
    worlds = -(-asked.sagas // SAGAS_A_WORLD)
    print(f"{asked.sagas} sagas in {worlds} worlds from seed {asked.seed}", flush=True)
    starts = range(asked.seed, asked.seed + worlds, CHUNK)
    started = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = _watched(pool.map(_soak, starts, [min(CHUNK, asked.seed + worlds - start) for start in starts]), worlds)
    _tell(found, time.monotonic() - started)
    return 1 if found.broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sagas", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    return parser.parse_args()


def _soak(start: int, worlds: int) -> SoakResult:
    with simulated():
        return sum(
            (soak_one(SCENARIOS, FAKES, seed) for seed in range(start, start + worlds)),
            SoakResult(),
        )


def _watched(chunks: Iterable[SoakResult], worlds: int) -> SoakResult:
    total, reported = SoakResult(), 0
    for chunk in chunks:
        total += chunk
        if sys.stderr.isatty() or total.worlds - reported >= worlds / 10:
            reported = total.worlds
            print(f"{total.worlds} of {worlds} worlds, {len(total.broken)} broken promises", file=sys.stderr)
    return total


def _tell(found: SoakResult, seconds: float) -> None:
    sagas = sum(found.ends.values())
    print(f"{sagas} sagas in {seconds:.0f} s: {', '.join(f'{count} {end}' for end, count in found.ends.items())}")
    print(f"dispatched {found.sent / sagas:.2f} times each")
    for what, times in found.happened.most_common():
        print(f"  {times:>9}  {what}")
    print(f"{len(found.broken)} broken promises")
    for each in found.broken[:50]:
        print(f"  {each}")


if __name__ == "__main__":
    sys.exit(main())

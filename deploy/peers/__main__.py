"""`make bench-peers`: measures this shop and its peers in turns on the same servers, and checks their ratios."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config import env
from deploy.bench import options
from deploy.bench.figures import Figures, medians
from deploy.bench.processes import PROJECT, ended_by_sigterm
from deploy.bench.table import number, table
from deploy.isolation import isolate
from deploy.peers import environment, ours
from deploy.peers.comparison import OURS, compare, comparison_table
from deploy.peers.measure import PEERS

VARIANTS = ["base", "low", "load", "declines", "hot"]


@dataclass
class Comparison:
    """Rounds of figures, by system and variant."""

    rounds: list[dict[str, dict[str, Figures]]] = field(default_factory=list)

    def one_more_round(self, request: argparse.Namespace) -> None:
        """Measure every system once, one after another."""
        self.rounds.append({})
        for who in (OURS, *request.peers):
            self.rounds[-1][who] = found = _measure(who, request)
            for variant, figures in found.items():
                reported = f"{number(figures.orders_per_second)} orders/s  p50 {number(figures.p50_ms)} ms"
                print(f"round {len(self.rounds)}  {who:8} {variant:9} {reported}", flush=True)

    def medians(self) -> dict[str, Figures]:
        """Return the medians of all rounds, variant after variant."""
        names = [(variant, who) for variant in VARIANTS for who in self.rounds[0] if variant in self.rounds[0][who]]
        return {f"{variant} {who}": medians([each[who][variant] for each in self.rounds]) for variant, who in names}

    def as_json(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        ratios = [
            {"what": each.demand.says, "is": each.value, "demanded": each.demand.bound(), "met": each.is_met}
            for each in compare(self.rounds)
        ]
        rounds = [
            {who: {name: figures.as_json() for name, figures in found.items()} for who, found in each.items()}
            for each in self.rounds
        ]
        return {"ratios": ratios, "rounds": rounds}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure in rounds, print the result, write the file and return the exit code."""
    request = _arguments(arguments)
    try:
        request.output.parent.mkdir(parents=True, exist_ok=True)
        with ended_by_sigterm():
            comparison = _compare(request)
    except (env.BadSetting, environment.NotInstalled, ours.Failed, OSError) as error:
        print(f"bench-peers: {error}", file=sys.stderr)
        return 1
    print(f"\n{table(comparison.medians())}\n\n{comparison_table(compare(comparison.rounds))}\n")
    settings = {name: str(value) for name, value in vars(request).items()}
    request.output.write_text(json.dumps({"settings": settings, **comparison.as_json()}, indent=2) + "\n")
    print(f"as JSON: {request.output}")
    return 0


def _compare(request: argparse.Namespace) -> Comparison:
    env.read()  # reports an error in the environment before the measurement
    environment.make(request.environment)
    comparison = Comparison()
    for _ in range(request.rounds):
        comparison.one_more_round(request)
    return comparison


def _measure(who: str, request: argparse.Namespace) -> dict[str, Figures]:
    variants = ["--variants", ",".join(request.variants)]
    spans = ["--seconds", str(request.seconds), "--warmup-seconds", str(request.warmup_seconds)]
    sizes = ["--concurrency", str(request.concurrency), "--skus", str(request.skus)]
    if who == OURS:
        return ours.measure([*variants, *spans, *sizes])
    module = [sys.executable, "-m", "deploy.peers.measure", who, "--environment", str(request.environment)]
    return ours.read(json.loads(ours.run([*module, *variants, *spans, *sizes], {})))


def _peers(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(PEERS)}")
    return names


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    new = PROJECT / ".run" / "bench" / f"peers-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    parser = argparse.ArgumentParser(prog="python -m deploy.peers", description=__doc__)
    parser.add_argument("--peers", type=_peers, default=list(PEERS), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--variants", type=options.variants, default=VARIANTS, help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--rounds", type=options.whole_number, default=3)
    parser.add_argument("--seconds", type=options.seconds, default=20.0, help="of each measurement")
    parser.add_argument("--warmup-seconds", type=options.seconds, default=5.0, help="before each measurement")
    parser.add_argument("--concurrency", type=options.whole_number, default=64, help="orders in flight")
    parser.add_argument("--skus", type=options.whole_number, default=1000)
    parser.add_argument("--environment", type=Path, default=environment.DIRECTORY, help="where the peers' packages are")
    parser.add_argument("--output", type=Path, default=new, help="file for the figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    isolate()
    os.environ["SHOP_DEBUG"] = "true"
    sys.exit(main())

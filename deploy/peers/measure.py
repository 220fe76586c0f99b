"""`python -m deploy.peers.measure PEER`: measures one peer once, on databases made for it, and prints JSON."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from config import env
from deploy.bench import records
from deploy.bench.cost import Meter
from deploy.bench.figures import Figures, figures
from deploy.bench.load import Window
from deploy.bench.processes import ended_by_sigterm
from deploy.bench.variants import VARIANTS
from deploy.peers import chain, dbos, restate, work
from deploy.peers.request import MeasurementRequest, Peer, Place

PEERS: dict[str, Peer] = {"restate": restate.running, "dbos": dbos.running, "chain": chain.running}
OTHER_DATABASES = (dbos.SYSTEM_DATABASE,)


def measure(peer: Peer, place: Place, request: argparse.Namespace) -> dict[str, Figures]:
    """Measure the variants one after another."""
    found: dict[str, Figures] = {}
    window = Window(request.warmup_seconds, request.seconds)
    with peer(place) as measured:
        for name in request.variants.split(","):
            base = found["base"].orders_per_second if "base" in found else None
            found[name] = figures(
                measured(MeasurementRequest(VARIANTS[name], window, request.concurrency, request.skus, base))
            )
    return found


def main() -> None:
    """Create the databases, measure, and drop them."""
    request = _arguments()
    settings = env.read()
    os.environ["PEERS_POSTGRES_URL"] = settings["POSTGRES_URL"]
    databases = [work.PREFIX + name for name in (*work.SERVICES, *OTHER_DATABASES)]
    with (
        ended_by_sigterm(),
        records.new_file() as file,
        tempfile.TemporaryDirectory(prefix="data-", dir=request.environment) as data,
    ):
        os.environ["PEERS_RECORDS"] = str(file)

        def meter(roots: dict[int, str]) -> Meter:
            return Meter({"conninfo": settings["POSTGRES_URL"]}, databases, roots)

        place = Place(request.environment, Path(data), file, settings["BROKER_URL"], meter)
        try:
            work.make_databases(request.skus, *OTHER_DATABASES)
            found = measure(PEERS[request.peer], place, request)
        finally:
            work.drop_databases(*OTHER_DATABASES)
    json.dump({name: each.as_json() for name, each in found.items()}, sys.stdout)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--environment", type=Path, required=True)
    parser.add_argument("--variants", required=True)
    for name in ("--seconds", "--warmup-seconds"):
        parser.add_argument(name, type=float, required=True)
    for name in ("--concurrency", "--skus"):
        parser.add_argument(name, type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()

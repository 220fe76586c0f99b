"""`python -m deploy.servers env|stop`: makes the servers available to a shell, and stops those that it started."""

import argparse
import os
import shlex
import sys
from collections.abc import Collection
from pathlib import Path

from deploy.servers import ways
from deploy.servers.private import ServerFailed
from deploy.servers.processes import TookTooLong
from deploy.servers.services import SERVICES, Service
from deploy.servers.started import Register

RUN_DIRECTORY = Path(__file__).resolve().parents[2] / ".run"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.servers", description=__doc__)
    parser.add_argument("command", choices=("env", "stop"))
    parser.add_argument(
        "--run-dir", type=Path, default=RUN_DIRECTORY, help="directory of the register of started servers"
    )
    names = [service.name for service in SERVICES]
    private_help = "start a private server if it is installed, even if another listens on the standard port"
    parser.add_argument("--private", action="append", default=[], choices=names, help=private_help)
    options = parser.parse_args(arguments)
    register = Register(options.run_dir.resolve())
    with register.locked():
        return stop(register) if options.command == "stop" else env(register, private=options.private)


def env(register: Register, *, private: Collection[str] = ()) -> int:
    """Print one `export` line for each service. Start the servers that are needed.

    :param private: names of services for which a private server is preferred to one that listens already.
    """
    try:
        addresses = {
            service.variable: address(service, register, private=service.name in private) for service in SERVICES
        }
    except (ways.Unavailable, ServerFailed, TookTooLong) as error:
        print(f"servers: {error}", file=sys.stderr)
        return 1
    for variable, url in addresses.items():
        print(f"export {variable}={shlex.quote(url)}")
    return 0


def stop(register: Register) -> int:
    """Stop what earlier calls started, and nothing else."""
    for name in register.end_all():
        print(f"servers: {name} stopped", file=sys.stderr)
    return 0


def address(service: Service, register: Register, *, private: bool = False) -> str:
    """Return a service's address: the configured one, else the one started earlier, else a new one."""
    configured = ways.configured(os.environ)(service)
    if configured:
        return configured
    earlier = register.read().get(service.name)
    if earlier and earlier.is_alive() and service.accepts(earlier.url):
        return earlier.url
    register.end(service.name)
    installed, others = ways.installed(register), (ways.in_docker(register), ways.from_apt(register))
    found = (installed, ways.listening) if private else (ways.listening, installed)
    return ways.first(service, (*found, *others))


if __name__ == "__main__":
    sys.exit(main())

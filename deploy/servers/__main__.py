"""`python -m deploy.servers env|stop`: makes the servers available to a shell, and ends what that started."""

import argparse
import os
import shlex
import sys
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
    parser.add_argument("--run-dir", type=Path, default=RUN_DIRECTORY, help="its memory")
    options = parser.parse_args(arguments)
    register = Register(options.run_dir.resolve())
    with register.locked():
        return stop(register) if options.command == "stop" else env(register)


def env(register: Register) -> int:
    """Print one `export` line a service, starting what is needed."""
    try:
        addresses = {service.variable: address(service, register) for service in SERVICES}
    except (ways.Unavailable, ServerFailed, TookTooLong) as error:
        print(f"servers: {error}", file=sys.stderr)
        return 1
    for variable, url in addresses.items():
        print(f"export {variable}={shlex.quote(url)}")
    return 0


def stop(register: Register) -> int:
    """End what earlier calls started, and only that."""
    for name in register.end_all():
        print(f"servers: {name} stopped", file=sys.stderr)
    return 0


def address(service: Service, register: Register) -> str:
    """Give a service's address: the configured, else the one started earlier, else a new one."""
    configured = ways.configured(os.environ)(service)
    if configured:
        return configured
    earlier = register.read().get(service.name)
    if earlier and earlier.is_alive() and service.accepts(earlier.url):
        return earlier.url
    register.end(service.name)
    starters = (ways.installed(register), ways.in_docker(register), ways.from_apt(register))
    return ways.first(service, (ways.listening, *starters))


if __name__ == "__main__":
    sys.exit(main())

"""The ways to obtain a service. Each returns an address, or None when it does not work here."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from deploy import apt
from deploy.servers.ports import LOOPBACK, free_port
from deploy.servers.private import NotInstalled
from deploy.servers.processes import wait_until
from deploy.servers.services import Service
from deploy.servers.started import Register, Started

CONTAINER_START_SECONDS = 120.0
DOCKER_PROBE_SECONDS = 10

Way = Callable[[Service], str | None]


class Unavailable(Exception):
    """A required service is not available. The message says what to do."""


def first(service: Service, ways: Iterable[Way]) -> str:
    """Try the ways in order and return the first address. :raises Unavailable: when none works."""
    for way in ways:
        if url := way(service):
            return url
    raise Unavailable(
        f"no {service.name}: set {service.variable}, start one on {_place(service)}, "
        f"install {service.package}, start Docker, or run this as root on Debian or Ubuntu"
    )


def configured(environment: Mapping[str, str]) -> Way:
    """Use the address in the environment. :raises Unavailable: when that server does not accept us."""

    def way(service: Service) -> str | None:
        url = environment.get(service.variable)
        if url and not service.accepts(url):
            raise Unavailable(f"{service.variable} names {hide_password(url)}, which does not accept us")
        return url or None

    return way


def listening(service: Service) -> str | None:
    """Use the server on the standard port of this machine, if it accepts us."""
    return next(filter(service.accepts, service.standard_urls), None)


def installed(register: Register) -> Way:
    """Start a private server from the programs installed here, or from a wheel."""

    def way(service: Service) -> str | None:
        try:
            server = service.private(register.run_directory / service.name.lower())
        except NotInstalled:
            return None
        _say(f"starting a private {service.name} on port {server.port}")
        try:
            register.remember(service.name, Started.of(server.start()))
            server.release()
        except BaseException:
            server.close()
            raise
        return server.url

    return way


def in_docker(register: Register) -> Way:
    """Start a container, where a Docker engine runs."""

    def way(service: Service) -> str | None:
        if not _docker_runs():
            return None
        port = free_port()
        url = service.image.url.format(port=port)
        _say(f"starting {service.image.name} in Docker on port {port}")
        container = _output(["docker", "run", "--detach", *_container_options(service, port)])
        register.remember(service.name, Started(url=url, container=container.strip()))
        wait_until(lambda: service.accepts(url), seconds=CONTAINER_START_SECONDS, what=service.image.name)
        return url

    return way


def from_apt(register: Register) -> Way:
    """Install the service from apt, as root on Debian or Ubuntu, then start a private server."""

    def way(service: Service) -> str | None:
        if not apt.is_usable():
            return None
        try:
            apt.install([service.package], needed_for=service.name)
        except apt.Failed as error:
            raise Unavailable(str(error)) from None
        return installed(register)(service)

    return way


def hide_password(url: str) -> str:
    """Return an address without its password, so that it can be printed."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@") if password else url


def _place(service: Service) -> str:
    where = urlsplit(service.standard_urls[0])
    login = f" that lets {where.username} in" if where.username else ""
    return f"{LOOPBACK}:{where.port}{login}"


def _docker_runs() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        probe = subprocess.run(["docker", "info"], capture_output=True, timeout=DOCKER_PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0


def _container_options(service: Service, port: int) -> list[str]:
    environment = (f"--env={name}={value}" for name, value in service.image.environment.items())
    return [
        "--rm",
        f"--publish={LOOPBACK}:{port}:{service.image.port}",
        *environment,
        service.image.name,
    ]


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:2])}: {done.stderr.strip()}")
    return done.stdout


def _say(line: str) -> None:
    print(f"servers: {line}", file=sys.stderr, flush=True)

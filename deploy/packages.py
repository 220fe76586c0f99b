"""`python -m deploy.packages`: finds the system packages that tests need, or announces and installs them."""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy import apt

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LIBFAKETIME_PATHS = tuple(f"usr/{lib}/faketime/libfaketime.so.1" for lib in ("lib/*", "lib", "lib64"))
LIBATOMIC_PATHS = ("usr/lib/*/libatomic.so.1", "usr/lib64/libatomic.so.1")


@dataclass(frozen=True)
class Package:
    """A Debian package, and a function that finds its file however it was installed (None: it is not installed)."""

    name: str
    find: Callable[[], Path | None]

    def path(self) -> Path:
        """Return its file. :raises Missing: when it is not installed."""
        found = self.find()
        if found is None:
            raise Missing(_reported([self]))
        return found


class Missing(Exception):
    """A package is not installed. The message says how to install it."""


def find_program(*names: str) -> Path | None:
    """Find the first of these programs that is on the PATH."""
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found) if found else None


def find_file(*patterns: str) -> Path | None:
    """Find the first file that matches one of these patterns, which begin at the root directory."""
    return next((path for pattern in patterns for path in sorted(Path("/").glob(pattern))), None)


CHROMIUM = Package("chromium", lambda: find_program(*CHROMIUM_NAMES))
LIBFAKETIME = Package("libfaketime", lambda: find_file(*LIBFAKETIME_PATHS))
LIBATOMIC = Package("libatomic1", lambda: find_file(*LIBATOMIC_PATHS))
"""Playwright's own Node.js needs it."""
NEEDED_BY_TESTS = (CHROMIUM, LIBATOMIC, LIBFAKETIME)
"""Servers are not listed here: `deploy.servers` finds or starts them."""


def provide(packages: Sequence[Package]) -> None:
    """Install the missing packages, if apt can be used here.

    :raises Missing: when a package is still missing.
    """
    missing = _missing(packages)
    if missing and apt.is_usable():
        apt.install([package.name for package in missing], needed_for="the tests")
        missing = _missing(packages)
    if missing:
        raise Missing(_reported(missing))


def main() -> int:
    """Provide the packages that tests need and return the exit code."""
    try:
        provide(NEEDED_BY_TESTS)
    except (Missing, apt.Failed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _missing(packages: Sequence[Package]) -> list[Package]:
    return [package for package in packages if package.find() is None]


def _reported(missing: Sequence[Package]) -> str:
    names = " ".join(package.name for package in missing)
    return f"the tests need packages that are not installed; on Debian or Ubuntu, as root: apt-get install {names}"


if __name__ == "__main__":
    sys.exit(main())

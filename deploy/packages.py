"""`python -m deploy.packages`: the system packages that tests need, found, or installed with an announcement."""

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
    """A package of Debian and how its file is found, whoever installed it; None: it is not here."""

    name: str
    find: Callable[[], Path | None]

    def path(self) -> Path:
        """Give its file. :raises Missing: when it is not here."""
        found = self.find()
        if found is None:
            raise Missing(_told([self]))
        return found


class Missing(Exception):
    """A package is not installed; the message says how to get it."""


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
"""For the Node.js that Playwright brings along."""
NEEDED_BY_TESTS = (CHROMIUM, LIBATOMIC, LIBFAKETIME)
"""The servers are not among them: `deploy.servers` finds or starts these."""


def provide(packages: Sequence[Package]) -> None:
    """Install what is missing, where that can be done.

    :raises Missing: when something is missing still.
    """
    missing = _missing(packages)
    if missing and apt.is_usable():
        apt.install([package.name for package in missing], needed_for="the tests")
        missing = _missing(packages)
    if missing:
        raise Missing(_told(missing))


def main() -> int:
    """Provide what tests need and give the exit code."""
    try:
        provide(NEEDED_BY_TESTS)
    except (Missing, apt.Failed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _missing(packages: Sequence[Package]) -> list[Package]:
    return [package for package in packages if package.find() is None]


def _told(missing: Sequence[Package]) -> str:
    names = " ".join(package.name for package in missing)
    return f"tests need what is not installed here; on Debian or Ubuntu, as root: apt-get install {names}"


if __name__ == "__main__":
    sys.exit(main())

"""System packages that tests need: found, installed with an announcement, or named in one line."""

from pathlib import Path

import pytest

from deploy import packages
from deploy.packages import Missing, Package

APT_GET = """#!/bin/sh
echo "$*" >>{calls}
[ "{fails}" = "$2" ] && echo "E: no network" >&2 && exit 100
[ "$2" = install ] && touch {installed}
exit 0
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Where the package's file is when it is installed."""
    return tmp_path / "installed"


@pytest.fixture
def package(installed: Path) -> Package:
    return Package("a-package", lambda: installed if installed.exists() else None)


def fake_apt_get(directory: Path, monkeypatch: pytest.MonkeyPatch, *, fails: str = "", as_root: bool = True) -> Path:
    """An apt-get that writes its arguments into a file; gives the file."""
    calls, program = directory / "calls", directory / "apt-get"
    program.write_text(APT_GET.format(calls=calls, installed=directory / "installed", fails=fails))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    monkeypatch.setattr("os.geteuid", lambda: 0 if as_root else 1000)
    return calls


def test_what_is_there_is_left_alone(package, installed, tmp_path, monkeypatch, capsys) -> None:
    installed.touch()
    calls = fake_apt_get(tmp_path, monkeypatch)
    packages.provide([package])
    assert not calls.exists()
    assert capsys.readouterr() == ("", "")
    assert package.path() == installed


@pytest.mark.processes
def test_what_is_missing_is_installed_after_one_line_that_says_so(package, tmp_path, monkeypatch, capsys) -> None:
    calls = fake_apt_get(tmp_path, monkeypatch)
    packages.provide([package])
    assert calls.read_text().split("\n")[:2] == [
        "--quiet update",
        "--quiet install --yes --no-install-recommends a-package",
    ]
    assert capsys.readouterr().err == "installing a-package with apt-get, needed for the tests\n"


def test_nothing_is_installed_by_an_ordinary_user_who_is_reported_how(package, tmp_path, monkeypatch) -> None:
    calls = fake_apt_get(tmp_path, monkeypatch, as_root=False)
    with pytest.raises(Missing) as raised:
        packages.provide([package])
    assert str(raised.value).endswith("as root: apt-get install a-package")
    assert "\n" not in str(raised.value)
    assert not calls.exists()


@pytest.mark.processes
def test_an_installation_that_fails_is_reported(package, tmp_path, monkeypatch, capsys) -> None:
    fake_apt_get(tmp_path, monkeypatch, fails="install")
    monkeypatch.setattr(packages, "NEEDED_BY_TESTS", (package,))
    assert packages.main() == 1
    assert capsys.readouterr().err.endswith(
        "apt-get --quiet install --yes --no-install-recommends a-package: E: no network\n"
    )


def test_everything_that_tests_need_is_found_here() -> None:
    for package in packages.NEEDED_BY_TESTS:
        assert package.path().exists()


def test_a_file_is_found_whatever_the_architecture(tmp_path: Path) -> None:
    wanted = tmp_path / "usr" / "lib" / "riscv64-linux-gnu" / "libany.so.1"
    wanted.parent.mkdir(parents=True)
    wanted.touch()
    pattern = f"{tmp_path.relative_to('/')}/usr/lib/*/libany.so.1"
    assert packages.find_file("no/such/file", pattern) == wanted

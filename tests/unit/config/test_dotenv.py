"""The file of settings: what make, manage.py and docker compose would read differently is refused."""

import os
import subprocess
from pathlib import Path

import pytest

from config import dotenv, env

ROOT = Path(__file__).resolve().parents[3]

ALIKE = {
    "A=": "",
    "A=plain": "plain",
    "A=127.0.0.0/8, ::1/128": "127.0.0.0/8, ::1/128",
    "A=postgres://ada:p%23w@h/db?sslmode=require&connect_timeout=3": (
        "postgres://ada:p%23w@h/db?sslmode=require&connect_timeout=3"
    ),
    "A=a#b": "a#b",
    "A=a;b|c(d)<e>*!~": "a;b|c(d)<e>*!~",
    "A=two words  ": "two words",
    "A='$tr0ng # & \"it\" `x`'": '$tr0ng # & "it" `x`',
    'A="it\'s # & ok"': "it's # & ok",
    "A='  kept  '  ": "  kept  ",
    "export A=b": "b",
    "A=b\r": "b",
    "A=é": "é",
}
REFUSED = {
    "A=$hush": r"\.env line 2, A: some readers expand \$ and `; put",
    "A=${hush}": r"\.env line 2, A: some readers expand \$ and `; put",
    'A="$hush"': r"\.env line 2, A: some readers expand \$ and ` between double quotes",
    "A=`hush`": r"\.env line 2, A: some readers expand \$ and `; put",
    "A=#hush": r"\.env line 2, A: # may begin a comment",
    "A=hush # it": r"\.env line 2, A: # may begin a comment",
    "A=hush\t# it": r"\.env line 2, A: # may begin a comment",
    "A='hush' # it": r"\.env line 2, A: a quote has to be around",
    "A=hu'sh": r"\.env line 2, A: a quote has to be around",
    'A="hush': r"\.env line 2, A: a quote has to be around",
    "A='hush'ed'": r"\.env line 2, A: a quote stands within",
    "A=hush\\": r"\.env line 2, A: readers disagree about a backslash",
    "A='hu\\'sh'": r"\.env line 2, A: readers disagree about a backslash",
    "A=hush\x00": r"\.env line 2, A: it contains an invisible character",
    "A=hush\u00a0": r"\.env line 2, A: it contains an invisible character",
    "A = hush": r"\.env line 2: not NAME=value",
    "A: hush": r"\.env line 2: not NAME=value",
    "hush": r"\.env line 2: not NAME=value",
    "1A=hush": r"\.env line 2: not NAME=value",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


@pytest.mark.parametrize("line", ALIKE)
def test_what_all_readers_take_alike_is_read(file: Path, line: str) -> None:
    file.write_text(f"# a comment\n\n  # another\n{line}\nB=next", newline="")
    assert dotenv.read(file) == {"A": ALIKE[line], "B": "next"}


@pytest.mark.parametrize("line", REFUSED)
def test_anything_else_is_refused_by_line_and_name_without_the_value(file: Path, line: str) -> None:
    file.write_text(f"# a comment\n{line}\n", newline="")
    with pytest.raises(dotenv.BadLine, match=f"^{REFUSED[line]}") as raised:
        dotenv.read(file)
    assert "hush" not in str(raised.value)


def test_a_file_that_is_no_text_is_refused_and_none_is_none(file: Path) -> None:
    assert dotenv.read(file) == {}
    file.write_bytes(b"A=\xff")
    with pytest.raises(dotenv.BadLine, match=r"^\.env: cannot be read"):
        dotenv.read(file)


def test_the_example_is_read() -> None:
    assert "SHOP_QUEUE_TYPE" in dotenv.read(ROOT / ".env.example")


def test_the_environment_goes_first_and_a_bad_line_is_a_bad_setting(file: Path, monkeypatch) -> None:
    monkeypatch.setenv("SHOP_ADMIN_THEME", "stock")
    monkeypatch.delenv("SHOP_TRACES_SHARE", raising=False)
    file.write_text("SHOP_ADMIN_THEME=unfold\nSHOP_TRACES_SHARE=0.5\n")
    env._load_file(file)
    assert (os.environ["SHOP_ADMIN_THEME"], os.environ.pop("SHOP_TRACES_SHARE")) == ("stock", "0.5")
    file.write_text("SHOP_SECRET_KEY=$hush\n")
    with pytest.raises(env.BadSetting, match=r"^\.env line 1, SHOP_SECRET_KEY: "):
        env._load_file(file)


@pytest.mark.processes
def test_make_leaves_the_file_to_the_programs_that_it_starts() -> None:
    targets = ["up", "shell", "bench"]
    said = subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "deploy.up" in said
    assert ".env" not in said

"""What may be asked of `manage.py bench`; what may not is named."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from deploy.bench import options


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ("--seconds=0", "--seconds: '0' is not a number of seconds above zero"),
        ("--warmup-seconds=soon", "--warmup-seconds: 'soon' is not"),
        ("--seconds=inf", "--seconds: 'inf'"),
        ("--concurrency=0", "--concurrency: '0' is not a whole number above zero"),
        ("--workers=-1", "--workers: '-1'"),
        ("--threads=1.5", "--threads: '1.5'"),
        ("--rounds=none", "--rounds: 'none'"),
        ("--skus=0", "--skus: '0'"),
        ("--variants=base,warm", "--variants: 'warm' is none of base, declines, hot, http, low, load"),
        ("--variants=load", "--variants: load is a share of base: list base before it"),
        ("--variants=load,base", "--variants: load is a share of base: list base before it"),
        ("--scaling=1,0", "--scaling: '0'"),
        ("--stored=-5", "--stored: '-5' is not a whole number"),
        ("--memory=0", "--memory: '0'"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_option(asked: str, complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("bench", asked)


def test_a_file_that_cannot_be_written_is_found_out_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"--output .*figures\.json: "):
        call_command("bench", f"--output={tmp_path / 'file' / 'figures.json'}")


def test_only_one_thing_is_measured_at_a_time() -> None:
    with pytest.raises(CommandError, match="--memory: not allowed with argument --scaling"):
        call_command("bench", "--scaling=1,2", "--memory=100")


def test_a_variant_named_twice_is_measured_once() -> None:
    assert options.variants("base, hot,base,load") == ["base", "hot", "load"]

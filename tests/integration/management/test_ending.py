"""How commands end at a command line: "nothing matched" is an answer, everything else an error."""

from uuid import UUID

import pytest
from django.core.management import ManagementUtility
from django.core.management.base import CommandError

from config import env
from tests.integration.admin.situations import Post

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

NOBODY = UUID(int=1)


def typed(line: str) -> int:
    """Run it as if it were typed; its exit code."""
    with pytest.raises(SystemExit) as ended:
        ManagementUtility(["manage.py", *line.split()]).execute()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("saga list --customer nobody", "no saga matches"),
        (f"saga why {NOBODY}", f"there is no saga {NOBODY}"),
        ("breakers close no.such --reason x --yes", "there is no breaker no.such, only "),
        ("audit apply 1 --reason x", "there is no "),
    ],
)
def test_nothing_matched_is_said_plainly(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(line) == 3
    assert capsys.readouterr().err.startswith(said)


def test_cron_has_nothing_to_send_a_mail_of_while_nothing_is_due(
    post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("saga resume --stuck --reason cron") == 3
    assert capsys.readouterr() == ("", "")


def test_an_error_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed("saga retry --reason x --yes") == 2
    assert capsys.readouterr().err.startswith("CommandError: ")


def test_a_traceback_is_shown_to_who_asks() -> None:
    with pytest.raises(CommandError, match="no saga matches"):
        ManagementUtility(["manage.py", *"saga --traceback list --customer nobody".split()]).execute()

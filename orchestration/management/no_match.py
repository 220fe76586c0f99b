"""The end of a command when nothing matched: its sentence is an answer, not an error."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.management.exit_codes import Exit


class PlainlyEnding(BaseCommand):
    """A command that prints "nothing matched" on stderr without Django's red "CommandError:". Errors keep it."""

    _called_from_command_line: bool  # Django sets it; its stubs lack it

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. "Nothing matched" from a terminal ends it with that exit code and a plain sentence.

        :raises CommandError: with any other exit code; with that one to a caller in Python, or with --traceback.
        """
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            is_plain = error.returncode == Exit.NOTHING_MATCHED and self._called_from_command_line
            if options["traceback"] or not is_plain:
                raise
            if sentence := str(error):
                self.stderr.write(sentence, str)
            sys.exit(error.returncode)

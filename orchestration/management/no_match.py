"""How a command ends when nothing matched: its sentence is an answer, and no error."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.management.exit_codes import Exit


class PlainlyEnding(BaseCommand):
    """Says "nothing matched" on stderr without Django's "CommandError:" in red; errors are called so as ever."""

    _called_from_command_line: bool  # Django's own, of which its stubs do not know

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
            if said := str(error):
                self.stderr.write(said, str)
            sys.exit(error.returncode)

"""The `Prefer` header (RFC 7240)."""

import re
from datetime import timedelta

from rest_framework.request import Request

LONGEST_WAIT = timedelta(seconds=10)
"""The limit if a client asks for more. It is well below the timeouts of proxies."""

_QUOTED = r'"(?:[^"\\]|\\.)*(?:"|\Z)'
_PREFERENCE = re.compile(rf"(?:[^,\"]|{_QUOTED})+")
_WAIT = re.compile(r'\s*wait\s*=\s*"?([0-9]+)"?\s*(?:;.*)?', re.IGNORECASE | re.DOTALL)


def preferred_wait(request: Request) -> timedelta:
    """Return how long the client will wait for the outcome: the first `wait=N` (section 4.3), at most `LONGEST_WAIT`.

    Return zero if there is none. A preference that cannot be read is ignored, as section 2 asks.
    """
    for preference in _PREFERENCE.findall(request.headers.get("Prefer", "")):
        if found := _WAIT.fullmatch(preference):
            return min(timedelta(seconds=int(found[1][:9])), LONGEST_WAIT)
    return timedelta()

"""The text of pages, without markup."""

import html
import re


def said(markup: str) -> str:
    """Return the text as a reader sees it: elements are separated, and optional word breaks are removed."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup.replace("<wbr>", ""))).split())

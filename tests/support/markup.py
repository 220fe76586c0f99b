"""What pages say, without markup."""

import html
import re


def said(markup: str) -> str:
    """As somebody reads it: elements are apart, and a place where a word may be broken is none."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup.replace("<wbr>", ""))).split())

"""Elements that the pictures of operators have in common. Pure."""

from xml.etree.ElementTree import Element, SubElement

from orchestration.text.cleaning import harmless_lines


def standalone_style(css_class: str) -> str:
    """Return the style of a picture at its own URL. Inside a page it takes the colour of the text around it."""
    return (
        f"svg.{css_class}:root{{color-scheme:light dark;color:#1f2430;background:#fff}}"
        f"@media (prefers-color-scheme:dark){{svg.{css_class}:root{{color:#e6e8ee;background:#16181d}}}}"
    )


def text(
    parent: Element, x: float, y: float, content: str, *, anchor: str = "start", size: int = 12, opacity: float = 1.0
) -> Element:
    """Add a line of text to the picture."""
    attributes = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "font-size": f"{size}"}
    line = SubElement(parent, "text", attributes | {"fill-opacity": f"{opacity}"})
    line.text = harmless_lines(content)
    return line

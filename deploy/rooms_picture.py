"""Draws docs/images/rooms.svg from pyproject.toml: every package in the order of imports, with its first sentence."""

import ast
import tomllib
from pathlib import Path
from textwrap import wrap
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
CONTRACT = "Rooms of orchestration, higher over lower"
WIDTH, MARGIN, LINE, GAP = 480, 14, 17, 8  # pixels
CHARACTERS = 62  # of a sentence, in one line
STYLE = """
    text { font: 12.5px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2933 }
    .name { font-weight: 600; font-size: 14px }
    .box { fill: #dbeafe; stroke: #1d4ed8 }
    .outer { fill: #dcfce7; stroke: #15803d }
    .card { fill: #ffffff; stroke: #cbd2d9 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e4e7eb }
      .card { fill: #1f2933; stroke: #52606d }
      .box { fill: #1e3a5f; stroke: #60a5fa }
      .outer { fill: #14432a; stroke: #4ade80 }
    }
"""
Layer = list[tuple[str, str]]
"""Packages of one layer: each a name and a sentence."""


def layers() -> list[Layer]:
    """Return every layer, the highest first. No package imports one that stands above it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [rooms] = [each["layers"] for each in contracts if each["name"] == CONTRACT]
    services = ("orders", "inventory", "payments", "shipping")
    above = [[_described("deploy")], [_described("config")], [_described(each) for each in services]]
    return above + [[_described(f"orchestration/{room}") for room in layer.split(" | ")] for layer in rooms]


def picture() -> str:
    """Return the SVG: one box for each layer, from the highest to the lowest."""
    shapes: list[str] = []
    y = MARGIN
    for layer in layers():
        texts = [(f"{name.removeprefix('orchestration/')}", wrap(sentence, CHARACTERS)) for name, sentence in layer]
        height = GAP + sum(LINE * (1 + len(lines)) + GAP for _, lines in texts)
        kind = "box" if layer[0][0].startswith("orchestration/") else "outer"
        shapes.append(
            f'<rect class="{kind}" x="{MARGIN}" y="{y}" width="{WIDTH - 2 * MARGIN}" height="{height}" rx="6"/>'
        )
        below = y + GAP
        for name, lines in texts:
            for number, line in enumerate([name, *lines]):
                below += LINE
                shapes.append(_text(line, below - 4, is_name=number == 0))
            below += GAP
        y += height + GAP
    body = "\n  ".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + MARGIN}" role="img" '
        f'aria-labelledby="title desc">\n  <title id="title">The packages of the shop</title>\n'
        f'  <desc id="desc">Each box imports only from boxes below it. Green: deploy, config and the services. '
        f"Blue: the rooms of orchestration.</desc>\n  <style>{STYLE}  </style>\n"
        f'  <rect class="card" width="{WIDTH}" height="{y + MARGIN}" rx="8"/>\n  {body}\n</svg>\n'
    )


def _described(package: str) -> tuple[str, str]:
    module = ROOT / package / "__init__.py"
    tree = ast.parse((module if module.is_file() else ROOT / f"{package}.py").read_text())
    return package, (ast.get_docstring(tree) or "").splitlines()[0].replace("`", "")


def _text(line: str, y: int, *, is_name: bool) -> str:
    kind = ' class="name"' if is_name else ""
    return f'<text{kind} x="{2 * MARGIN}" y="{y}">{escape(line)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(picture())

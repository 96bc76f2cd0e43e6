"""Bar charts as SVG: panels of horizontal bars, legible on light and dark pages.

Each has a title, and a description that says all of it to those who don't see it.
"""

from dataclasses import dataclass
from html import escape

COLUMNS = 2
WIDTH, GAP = 380, 16  # of a panel, and between two
CAPTION, HEADER, ROW, FOOTER = 34, 36, 19, 12
NAMES, VALUES = 122, 44  # room for the texts on both sides of the bars
BAR = 11
NEAR = 4  # between a bar and a text

STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #59636e }
.title { font-weight: 600; font-size: 13px }
.ours { font-weight: 600 }
.bar { fill: #8c959f; fill-opacity: .6 }
.our-bar { fill: #d9782d }
line { stroke: #8c959f; stroke-width: 1; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) { text { fill: #a3adb8 } }
"""


@dataclass(frozen=True)
class Bar:
    """One bar, and what stands beside it."""

    name: str
    value: float
    text: str
    ours: bool = False


@dataclass(frozen=True)
class Panel:
    """Bars of one scale, from nothing to the limit; a longer one ends in a point."""

    title: str
    subtitle: str
    bars: list[Bar]
    limit: float
    mark: float | None = None
    """Where a dotted line stands."""

    @property
    def height(self) -> int:
        return HEADER + ROW * len(self.bars) + FOOTER


def picture(title: str, caption: str, panels: list[Panel], notes: list[str]) -> str:
    """Return the panels as one picture, in rows of two, under a caption and above the notes."""
    rows = [panels[start : start + COLUMNS] for start in range(0, len(panels), COLUMNS)]
    width, top = WIDTH * COLUMNS + GAP * (COLUMNS - 1), CAPTION
    parts = [f'<text x="0" y="14">{escape(caption)}</text>']
    for row in rows:
        for number, panel in enumerate(row):
            parts += [f'<g transform="translate({number * (WIDTH + GAP)} {top})">', *drawn(panel), "</g>"]
        top += max(panel.height for panel in row)
    for note in notes:
        parts.append(f'<text x="0" y="{top + ROW - NEAR}">{escape(note)}</text>')
        top += ROW
    root = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" viewBox="0 0 {width} {top}"'
    head = [
        f'{root} role="img" aria-labelledby="title description">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(described(caption, panels, notes))}</desc>',
        f"<style>{STYLE}</style>",
    ]
    return "\n".join([*head, *parts, "</svg>\n"])


def described(caption: str, panels: list[Panel], notes: list[str]) -> str:
    """Return everything that the picture says, as a text."""
    contents = [
        f"{panel.title} ({panel.subtitle}): " + ", ".join(f"{bar.name} {bar.text}" for bar in panel.bars)
        for panel in panels
    ]
    return ". ".join([caption, *contents, *notes]) + "."


def drawn(panel: Panel) -> list[str]:
    """Return a panel's elements; its upper left corner is at (0, 0)."""
    scale = (WIDTH - NAMES - VALUES) / panel.limit
    subtitle = f'<tspan font-weight="400" font-size="12">{escape(panel.subtitle)}</tspan>'
    parts = [f'<text x="{NAMES}" y="14" class="title">{escape(panel.title)} {subtitle}</text>']
    for number, bar in enumerate(panel.bars):
        parts += drawn_bar(bar, HEADER + ROW * number, scale, panel)
    if panel.mark is not None:
        x, bottom = round(NAMES + panel.mark * scale, 1), HEADER + ROW * (len(panel.bars) - 1)
        parts.append(f'<line x1="{x}" y1="{HEADER - ROW + NEAR}" x2="{x}" y2="{bottom + NEAR}"/>')
    return parts


def drawn_bar(bar: Bar, bottom: int, scale: float, panel: Panel) -> list[str]:
    """Return a bar with its texts, which stand on the line `bottom`."""
    top, length = bottom - BAR + 1, round(max(0.0, min(bar.value, panel.limit)) * scale, 1)
    end = NAMES + length
    name_class, bar_class = (' class="ours"', "our-bar") if bar.ours else ("", "bar")
    point = BAR / 2 if bar.value > panel.limit else 0
    shape = f"M{NAMES} {top}H{end - point:g}L{end:g} {top + BAR / 2:g}L{end - point:g} {top + BAR}H{NAMES}Z"
    # Beside a marked line the values stand in a column of their own, where it doesn't cross them.
    beside = end if panel.mark is None else WIDTH - VALUES
    return [
        f'<text x="{NAMES - NEAR}" y="{bottom}" text-anchor="end"{name_class}>{escape(bar.name)}</text>',
        f'<path d="{shape}" class="{bar_class}"/>',
        f'<text x="{beside + NEAR:g}" y="{bottom}"{name_class}>{escape(bar.text)}</text>',
    ]

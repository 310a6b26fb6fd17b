"""Counts by the second as one SVG file, drawn by hand."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 44, 40
COLOURS = ("#3a6ea5", "#d9822b", "#4f9d69", "#9b5fa8")


def histogram(title: str, series: Mapping[str, Sequence[float]], *, bound_s: float) -> str:
    """Draw how many of each series took how many seconds, stacked, with a bound as a line."""
    return timeline(title, series, marks={"": bound_s})


def timeline(
    title: str, series: Mapping[str, Sequence[float]], *, marks: Mapping[str, float]
) -> str:
    """Draw what happened in each second, stacked by series, with lines where something was done."""
    last = max([*marks.values(), *(value for values in series.values() for value in values)])
    bins = int(last) + 2
    stacks = [
        [sum(int(value) == second for value in values) for values in series.values()]
        for second in range(bins)
    ]
    most = max(1, *(sum(stack) for stack in stacks))
    across = (WIDTH - LEFT - RIGHT) / bins
    up = (HEIGHT - TOP - BOTTOM) / most
    floor = HEIGHT - BOTTOM
    parts = [_text(LEFT, 18, title, size=14)]
    for second, stack in enumerate(stacks):
        top = float(floor)
        for colour, number in zip(COLOURS, stack, strict=False):
            top -= number * up
            if number:
                parts.append(_box(LEFT + second * across, top, across - 1, number * up, colour))
        if second % 5 == 0:
            parts.append(_text(LEFT + second * across, floor + 16, f"{second} s"))
    scale = sorted({0, most // 2, most})
    parts += [_text(8, floor - number * up + 4, str(number)) for number in scale]
    for name, at_s in marks.items():
        parts += _mark(LEFT + at_s * across, name)
    along = float(LEFT)
    for colour, (name, values) in zip(COLOURS, series.items(), strict=False):
        parts.append(_box(along, 26, 10, 10, colour))
        parts.append(_text(along + 14, 35, f"{name} ({len(values)})"))
        along += 60 + 7 * len(name)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f'<path d="M{LEFT} {floor}H{WIDTH - RIGHT}" stroke="#444" fill="none"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _mark(at: float, name: str) -> list[str]:
    line = (
        f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#b00020" '
        'stroke-dasharray="4 3" fill="none"/>'
    )
    return [line, _text(at - 12, HEIGHT - 8, name)] if name else [line]


def _box(left: float, top: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}"/>'
    )


def _text(left: float, base: float, words: str, *, size: int = 11) -> str:
    return f'<text x="{left:.1f}" y="{base:.1f}" font-size="{size}">{escape(words)}</text>'

"""The pictures of the documents can be read in the light and in the dark theme of the site.

A picture that goes by ``prefers-color-scheme`` does not follow the switch of the site. So all are
drawn on white, and ``docs/_static/gnet.css`` turns them where the site is dark.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from .harness import ROOT

PICTURES = sorted((ROOT / 'docs').glob('*.svg'))

Colour = tuple[float, float, float]

WHITE: Colour = (1, 1, 1)

#: What a text may be of, and what it may stand on.
TEXTS = ('text', '.file', '.note', '.unit', '.figure')
GROUNDS = ('.box', '.plain', '.last')

#: What a text of this size needs at least, by WCAG 2.
CONTRAST = 4.5

#: furo is dark by its switch, or by the system if that is left alone.
DARK = ('body[data-theme="dark"]', 'body:not([data-theme="light"])')


def fills(svg: str) -> dict[str, Colour]:
    """Return what the classes of a picture are filled with."""
    [style] = re.findall(r'<style>(.*?)</style>', svg)
    rules = re.findall(r'([^{}]+){[^}]*?fill:(#\w+)', style)
    return {name: colour_of(colour) for names, colour in rules for name in names.split(',')}


def colour_of(text: str) -> Colour:
    digits = text[1:] if len(text) == 7 else ''.join(2 * digit for digit in text[1:])
    red, green, blue = (int(digits[start:start + 2], 16) / 255 for start in (0, 2, 4))
    return red, green, blue


def dark(colour: Colour, amount: float) -> Colour:
    """Return what ``invert(amount) hue-rotate(180deg)`` makes of it (Filter Effects, level 1)."""
    red, green, blue = (each * (1 - amount) + (1 - each) * amount for each in colour)
    twice = 2 * (0.213 * red + 0.715 * green + 0.072 * blue)
    red, green, blue = (min(max(twice - each, 0), 1) for each in (red, green, blue))
    return red, green, blue


def luminance(colour: Colour) -> float:
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def amounts() -> list[str]:
    """Return how far pictures are inverted, for each way in which the site is dark."""
    style = (ROOT / 'docs/_static/gnet.css').read_text('utf-8')
    return [amount for condition in DARK for amount in re.findall(
        rf'{re.escape(condition)} article img {{ filter: invert\(([\d.]+)\) hue-rotate\(180deg\)',
        style)]


def test_the_site_turns_them_by_each_way_in_which_it_is_dark() -> None:
    assert len(amounts()) == len(DARK)
    assert len({*amounts()}) == 1


@pytest.mark.parametrize('path', PICTURES, ids=lambda path: path.name)
def test_a_picture_can_be_read_light_and_dark(path: Path) -> None:
    svg = path.read_text('utf-8')
    assert re.search(r'<rect width="\d+" height="\d+" fill="#fff"/>', svg)
    assert 'prefers-color-scheme' not in svg  # it would be turned twice, or at the wrong time
    found = fills(svg)
    texts = [found[name] for name in TEXTS if name in found]
    grounds = [WHITE, *(found[name] for name in GROUNDS if name in found)]
    assert texts
    amount = float(amounts()[0])
    for text, ground in product(texts, grounds):
        assert contrast(text, ground) >= CONTRAST
        assert contrast(dark(text, amount), dark(ground, amount)) >= CONTRAST

"""Two lists side by side, line by line, where what is equal is a question of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ['difference']

Left = TypeVar('Left')
Right = TypeVar('Right')


def difference(
    left: Sequence[Left], right: Sequence[Right], left_line: Callable[[Left], str],
    right_line: Callable[[Right], str], is_like: Callable[[Left, Right], bool],
) -> list[str]:
    """Return both as lines: those of *left* alone with ``-``, those of *right* alone with ``+``.

    What both have is there once, as *right* has it. As few lines as can be are marked.
    """
    # common[i][j]: how many the rests from i and from j can have in common, in order.
    common = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            common[i][j] = (
                common[i + 1][j + 1] + 1 if is_like(left[i], right[j])
                else max(common[i + 1][j], common[i][j + 1]))
    lines, i, j = [], 0, 0
    while i < len(left) or j < len(right):
        if i < len(left) and j < len(right) and is_like(left[i], right[j]):
            lines.append(f'  {right_line(right[j])}')
            i, j = i + 1, j + 1
        elif j == len(right) or (i < len(left) and common[i + 1][j] >= common[i][j + 1]):
            lines.append(f'- {left_line(left[i])}')
            i += 1
        else:
            lines.append(f'+ {right_line(right[j])}')
            j += 1
    return lines

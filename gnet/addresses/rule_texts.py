"""The texts of the rules of a ``BlockList``, in their order."""

from __future__ import annotations

__all__ = ['RuleTexts']


class RuleTexts:
    """Texts in the order in which they were added; equal ones are removed newest first."""

    def __init__(self) -> None:
        #: Each text with its number among the equal ones. A dictionary, for its order and for quick
        #: removal.
        self._texts: dict[tuple[str, int], None] = {}
        self._copies: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def newest_first(self) -> list[str]:
        """Return the texts, the newest first."""
        return [text for text, _ in reversed(self._texts)]

    def add(self, text: str) -> None:
        """Add *text*, whether it is here already or not."""
        copies = self._copies.get(text, 0)
        self._texts[text, copies] = None
        self._copies[text] = copies + 1

    def remove(self, text: str) -> bool:
        """Remove one *text* and return True, or return False when there is none."""
        copies = self._copies.pop(text, 0)
        if not copies:
            return False
        del self._texts[text, copies - 1]
        if copies > 1:
            self._copies[text] = copies - 1
        return True

    def clear(self) -> None:
        """Remove all."""
        self._texts.clear()
        self._copies.clear()

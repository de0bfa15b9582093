"""The same steps on an emitter, a socket and a server."""

from __future__ import annotations

from typing import Any

from ..form import Form, Step

__all__ = ['MAKERS', 'on_each', 'renamed']

#: What each is called, and how it is made.
MAKERS = {
    'emitter': 'new events.EventEmitter',
    'socket': 'new net.Socket',
    'server': 'new net.Server',
}


def renamed(form: Form, to: str) -> Form:
    """Return *form* with another name for ``e``; functions get names of their own."""
    if isinstance(form, str):
        return to + form[1:] if form == 'e' or form.startswith('e.') else form
    if isinstance(form, list):
        return [renamed(item, to) for item in form]
    if isinstance(form, dict):
        changed: dict[str, Any] = {key: renamed(item, to) for key, item in form.items()}
        if form.get('$') == 'fn':
            changed['name'] = f'{to} {form["name"]}'
        return changed
    return form


def on_each(*steps: Step, of: tuple[str, ...] = tuple(MAKERS)) -> list[Step]:
    """Return *steps*, which are about ``e``, for a new object of each kind."""
    done: list[Step] = []
    for name in of:
        done.append(['let', name, MAKERS[name]])
        done += renamed(list(steps), name)
    return done

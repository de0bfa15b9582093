"""gnet compared with Node itself: the same scenarios on both, and their traces side by side.

- ``form``: what a scenario is; ``scenarios/``: the scenarios;
- ``driver.js``, ``driver.py``: run them on Node, and on gnet;
- ``texts``: how values look in a trace;
- ``node``: the process that runs ``driver.js``;
- ``recorded/``: what Node did, as data; ``records`` reads and writes it;
- ``agreement``: what counts as the same, and which scenarios differ on purpose;
- ``fuzz``, ``shrink``: random scenarios, and the smallest ones that fail;
- ``report``: the outcome for each chapter of Node's documentation.

``python -m tests.conformance`` has the commands.
"""

"""``python -m gnet``: see :mod:`gnet.cli`."""

from .cli import main

if __name__ == '__main__':
    main()

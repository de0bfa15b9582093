"""``python -m gnet``: see :mod:`gnet.command.main`."""

from .command.main import main

if __name__ == '__main__':
    main()

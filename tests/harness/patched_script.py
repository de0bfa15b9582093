"""``forked_script.py`` where everything was monkey-patched before anything else was imported."""

from gevent import monkey

monkey.patch_all()

import forked_script  # noqa: E402  # beside this file

if __name__ == '__main__':
    forked_script.main()

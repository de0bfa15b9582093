"""Metadata of the ``gevent-net`` distribution, whose import name is ``gnet``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def version():
    """Return the version without importing gnet, whose requirements may not be there yet."""
    text = (HERE / 'gnet' / '_version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'$", text, re.MULTILINE).group(1)


PROMETHEUS = 'prometheus-client >= 0.12'

# The suite runs on all three event loops of gevent: two of them need cffi, which is what
# gevent[recommended] brings. setuptools builds the wheel that the suite looks into.
# cryptography makes the certificates of the tests; proxy-protocol is a second implementation of
# that protocol. The last line is legacy code, which tests/legacy runs on gnet's sockets.
TEST = [
    'gevent[recommended]', 'pytest >= 8.0', 'pytest-timeout >= 2.3', 'pytest-xdist >= 3.5',
    'setuptools >= 70.1',
    'cryptography >= 42', 'proxy-protocol >= 0.11',
    PROMETHEUS,
    'paramiko >= 3.4', 'pg8000 >= 1.30', 'redis >= 5.0',
]

# Linters and type checkers learn new complaints with each minor version, so that is pinned: a clone
# of today must still pass tomorrow. Python 3.9 has no such mypy; its types are checked elsewhere.
LINT = ['ruff == 0.17.*']
TYPES = [
    'cryptography >= 42',
    PROMETHEUS,
    'mypy == 2.4.*; python_version >= "3.10"',
    'types-gevent == 26.9.*; python_version >= "3.10"',
]

setup(
    name='gevent-net',
    version=version(),
    description="Node's net module for Python, on gevent: event style and blocking style",
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='the gnet authors',
    license='MIT',
    license_files=['LICENSE'],
    packages=find_packages(include=['gnet', 'gnet.*']),
    package_data={'gnet': ['py.typed']},
    zip_safe=False,  # type checkers look for py.typed in a directory
    python_requires='>= 3.9',
    # gevent itself requires zope.interface, which gnet.lifecycle uses.
    install_requires=['gevent >= 24.2.1', 'zope.event'],
    extras_require={
        # Certificates as PKCS#12 (the option pfx), which Python's ssl cannot read.
        'pkcs12': ['cryptography >= 42'],
        # gnet.metrics in a registry of prometheus-client. (Their own text needs nothing.)
        'prometheus': [PROMETHEUS],
        'test': TEST,
        'lint': LINT,
        'types': TYPES,
        'dev': [*TEST, *LINT, *TYPES],
    },
    entry_points={'console_scripts': ['gnet = gnet.command.main:main']},
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Developers',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3 :: Only',
        'Programming Language :: Python :: 3.9',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Programming Language :: Python :: Implementation :: CPython',
        'Topic :: Internet',
        'Topic :: System :: Networking',
        'Typing :: Typed',
    ],
)

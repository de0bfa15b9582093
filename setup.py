"""Metadata of the ``gevent-net`` distribution, whose import name is ``gnet``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def version():
    """Return the version without importing gnet, whose requirements may not be there yet."""
    text = (HERE / 'gnet' / '_version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'$", text, re.MULTILINE).group(1)


#: Where the project is to be found; nowhere yet. What is written here goes into the metadata, and
#: what the README links, on the page that an index makes of it, is then looked for there.
HOME = ''


def description():
    """Return the README as an index shows it: links into the checkout would lead nowhere there."""
    text = (HERE / 'README.md').read_text(encoding='utf-8')
    text = re.sub(r'^<!--.*?-->\n', '', text, flags=re.MULTILINE)  # are for the tests
    text = re.sub(r'\]\(#', '](README.md#', text)
    link = rf'[\1]({HOME}/blob/main/\2)' if HOME else r'\1'
    return re.sub(r'\[([^]]+)\]\((?!https?:)([^)]+)\)', link, text)


PROMETHEUS = 'prometheus-client >= 0.12'

# The suite runs on all three event loops of gevent: two of them need cffi, which is what
# gevent[recommended] brings. setuptools builds the wheel that the suite looks into.
# cryptography makes the certificates of the tests; proxy-protocol is a second implementation of
# that protocol. The last lines are legacy code, which tests/legacy runs on gnet's sockets,
# applications, which tests/wsgi serves, and what a program of examples/ported was written for.
TEST = [
    'gevent[recommended]', 'pytest >= 8.0', 'pytest-timeout >= 2.3', 'pytest-xdist >= 3.5',
    'setuptools >= 77.0.3', 'cryptography >= 42', 'proxy-protocol >= 0.11',
    PROMETHEUS,
    'paramiko >= 3.4', 'pg8000 >= 1.30', 'redis >= 5.0',
    'flask >= 3.0', 'django >= 4.2', 'eventlet >= 0.36',
]

# Linters and type checkers learn new complaints with each minor version, so that is pinned: a clone
# of today must still pass tomorrow. Python 3.9 has no such mypy; its types are checked elsewhere.
LINT = ['ruff == 0.17.*']
# The site, whose warnings are errors: so this is pinned as well, to what each Python has.
DOCS = [
    'sphinx == 9.0.*; python_version >= "3.11"',
    'furo == 2025.12.19; python_version >= "3.11"',
    'myst-parser == 5.*; python_version >= "3.11"',
]
# What scripts/release_check builds with, and asks for an opinion, on Python 3.10 and later.
RELEASE = [
    'build == 1.*; python_version >= "3.10"',
    'twine == 7.*; python_version >= "3.10"',
    'check-wheel-contents == 0.6.*; python_version >= "3.10"',
    'readme-renderer[md]; python_version >= "3.10"',
    'tox == 4.*; python_version >= "3.10"',
    'trove-classifiers; python_version >= "3.10"',
]
TYPES = [
    'cryptography >= 42',
    PROMETHEUS,
    'pytest >= 8.0',
    'mypy == 2.4.*; python_version >= "3.10"',
    'types-gevent == 26.9.*; python_version >= "3.10"',
    'pyright[nodejs] == 1.1.414; python_version >= "3.10"',
]

setup(
    name='gevent-net',
    version=version(),
    description="Node's net module for Python, on gevent: event style and blocking style",
    long_description=description(),
    long_description_content_type='text/markdown',
    author='the gnet authors',
    # PEP 639, which setuptools knows since 77.0.3 (pyproject.toml asks for it). An older one, where
    # nothing is fetched for building, says that it does not know the first of these, and goes on.
    license_expression='MIT',
    license_files=['LICENSE'],
    keywords=[
        'gevent', 'net', 'tcp', 'tls', 'unix socket', 'server', 'client', 'proxy protocol',
        'nodejs', 'events', 'greenlets',
    ],
    **({'url': HOME, 'project_urls': {'Source': HOME}} if HOME else {}),
    packages=find_packages(include=['gnet', 'gnet.*']),
    # Not in the package: pytest imports it at each start, and shall not import gnet by that.
    py_modules=['pytest_gnet'],
    package_data={'gnet': ['py.typed']},
    zip_safe=False,  # type checkers look for py.typed in a directory
    python_requires='>=3.9',
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
        # scripts/docs builds the site with it, on Python 3.11 and later.
        'docs': DOCS,
        'release': RELEASE,
        # All for those who change gnet; a release is made by one of them, now and then.
        'dev': [*TEST, *LINT, *TYPES, *DOCS],
    },
    entry_points={
        'console_scripts': ['gnet = gnet.command.main:main'],
        'pytest11': ['pytest_gnet = pytest_gnet'],
    },
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Framework :: Pytest',
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
        'Topic :: Software Development :: Libraries',
        'Topic :: System :: Networking',
        'Typing :: Typed',
    ],
)

"""The package as a whole: linters, types, what the wheel holds, and what no file may say."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import pickle
import pkgutil
import re
import shutil
import socket
import subprocess
import sys
import traceback
import zipfile
from collections import Counter
from email import message_from_string
from operator import attrgetter
from pathlib import Path
from types import FunctionType

import pytest

import gnet
from gnet._version import __version__
from gnet.node.coded_errors import bad_port, invalid_arg_type, state_error
from gnet.node.system_errors import (
    all_attempts_failed,
    connect_error,
    lookup_error,
    system_error,
)

from .harness import ROOT
from .test_site import MODULES

#: Directories that git, building and testing leave in the checkout.
_NOT_OURS = re.compile(
    r'\.(git|venv|tox|hypothesis|\w+_cache)|__pycache__|_?build|dist|.+\.egg-info')

_MODULES = sorted(
    module.name for module in pkgutil.walk_packages(gnet.__path__, prefix='gnet.')
    if module.name != 'gnet.__main__'  # importing it runs it
)


def _run(*command: str, cwd: Path = ROOT) -> None:
    """Run Python with the arguments *command*; fail with its output."""
    finished = subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False,
    )
    assert finished.returncode == 0, f'{command}\n{finished.stdout}{finished.stderr}'


def _tool(name: str) -> str:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f'{name} is not installed here; "scripts/venv dev" installs it')
    return name


def _files() -> list[Path]:
    """Return the files of the project."""
    files = []
    for directory, below, names in os.walk(ROOT):
        below[:] = [name for name in below if not _NOT_OURS.fullmatch(name)]
        files += [Path(directory, name) for name in names]
    return sorted(files)


# --- tools ---------------------------------------------------------------------------------------


def test_ruff_finds_nothing() -> None:
    _run('-m', _tool('ruff'), 'check', '--no-cache', '.')


@pytest.mark.timeout(180)  # with a cold cache mypy reads the stubs of all that is imported
def test_mypy_finds_nothing() -> None:
    _run('-m', _tool('mypy'))


# --- modules -------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['gnet', *_MODULES])
def test_each_module_lists_its_public_names(name: str) -> None:
    module = importlib.import_module(name)
    if hasattr(module, '__path__') and not hasattr(module, '__all__'):
        return  # a room, which is not imported from
    names = Counter(module.__all__)
    assert [each for each, count in names.items() if count > 1] == []
    assert [each for each in names if not hasattr(module, each)] == []


#: What ``import gnet`` leaves for later: what few programs use, and what takes long. (gevent's own
#: imports may bring some of it with other versions, so they come first.)
_FOR_LATER = (
    'gnet.child_process', 'gnet.clusters.cluster', 'gnet.processes.messaging', 'gnet.tls',
    'gnet.addresses.block_list', 'gnet.events.iterator', 'gnet.handlers', 'gnet.lifecycle.events',
    'gnet.loop.foreign_calls', 'gnet.proxy_protocol', 'gnet.options.proxy_protocol',
    'gnet.servers.gate', 'gnet.servers.limits', 'gnet.servers.proxied_intake',
    'gnet.servers.refusals', 'gnet.sockets.files',
    'gnet.sockets.socket_wire', 'gnet.streams.pipeline', 'gnet.typed_waiting', 'gnet.events.typed',
    'gnet.options.typed', 'gnet.servers.typed_events', 'gnet.sockets.typed_events',
    'gnet.tls.typed_options', 'gnet.wsgi',
    'concurrent.futures', 'dataclasses', 'decimal', 'difflib', 'inspect', 'ipaddress',
    'json', 'logging', 'ssl', 'struct', 'subprocess', 'threading',
)


def test_importing_gnet_imports_nothing_that_a_program_patches_later() -> None:
    # Patching after "import gnet" must still work, which for ssl means: not imported yet.
    _run('-W', 'error', '-c', 'import sys, gnet; assert "ssl" not in sys.modules')


def test_importing_gnet_imports_nothing_that_few_programs_use() -> None:
    _run('-W', 'error', '-c', f"""if True:
        import sys, gevent.server
        before = set(sys.modules)
        import gnet
        new = set(sys.modules) - before
        assert not new & set({_FOR_LATER!r}), new & set({_FOR_LATER!r})
        assert gnet.cluster.is_primary and gnet.createServer is gnet.create_server
        assert gnet.childProcess.ChildProcess.__module__ == 'gnet.child_process'
        from gnet import *
        assert process is gnet.process and BlockList.__module__ == 'gnet'
        """)


def test_a_server_with_a_connection_brings_nothing_of_that_back() -> None:
    # What is left for later, and comes in each program all the same, would be left for nothing.
    _run('-W', 'error', '-c', f"""if True:
        import sys, gevent.server, gnet
        from gevent import socket
        before = set(sys.modules)
        server = gnet.create_server(lambda sock: sock.on('data', sock.end))
        server.listen(0)
        peer = socket.create_connection(('127.0.0.1', server.address().port))
        peer.sendall(b'all')
        assert peer.makefile('rb').read() == b'all'
        server.close()
        peer.close()
        gnet.run()
        came = (set(sys.modules) - before) & {{each for each in {_FOR_LATER!r} if 'gnet' in each}}
        assert not came, came
        """)


def test_what_is_imported_when_it_is_used_is_none_of_the_faces_names_twice() -> None:
    for face in (gnet, gnet.events, gnet.lifecycle):
        for name in face.__all__:
            assert getattr(face, name) is vars(face)[name]
    with pytest.raises(AttributeError, match="module 'gnet' has no attribute 'nonsense'"):
        gnet.nonsense  # noqa: B018


def test_a_program_that_is_no_service_loads_nothing_of_services() -> None:
    _run('-W', 'error', '-c', 'import sys, gnet; gnet.serve(None).close(); gnet.run(); '
         'assert not {"gnet.systemd", "gnet.servers.announcing"} & {*sys.modules}')


# --- faces ---------------------------------------------------------------------------------------

#: The modules that programs import: those that dir(gnet) shows.
FACES = ('gnet', *(
    f'gnet.{name}' for name in dir(gnet) if importlib.util.find_spec(f'gnet.{name}') is not None))


def test_dir_shows_the_public_names_and_nothing_else() -> None:
    # (Some modules are imported when they are used, and "from gnet import *" is no use of them.)
    assert dir(gnet) == sorted([
        *gnet.__all__, 'handlers', 'logs', 'metrics', 'proxy_protocol', 'systemd', 'testing',
        'tls', 'wsgi'])


@pytest.mark.parametrize('face', FACES)
def test_classes_and_functions_say_that_they_are_of_a_face_where_they_are_found(face: str) -> None:
    module = importlib.import_module(face)
    values = [getattr(module, name) for name in module.__all__]
    shown = [value for value in values if isinstance(value, (type, FunctionType))]
    # Of an object (gnet.cluster), its class, which has no public name, and those that it hands on.
    kinds = [
        kind for kind in map(type, values)
        if kind is not type and kind.__module__.partition('.')[0] == 'gnet']
    shown += [inner for kind in kinds for inner in vars(kind).values() if isinstance(inner, type)]
    assert shown or kinds
    assert [each for each in (*shown, *kinds) if each.__module__ not in FACES] == []
    for each in shown:
        # Where a pickle has it from.
        assert attrgetter(each.__qualname__)(sys.modules[each.__module__]) is each


def test_the_faces_are_the_modules_of_the_reference() -> None:
    assert {*FACES} == {*MODULES}


def test_what_an_object_hands_on_is_named_by_the_object() -> None:
    assert repr(gnet.cluster.Worker) == "<class 'gnet.cluster.Worker'>"
    assert repr(type(gnet.cluster)) == "<class 'gnet.Cluster'>"
    assert repr(type(gnet.process)) == "<class 'gnet.Process'>"


def test_a_traceback_names_the_face() -> None:
    with pytest.raises(gnet.CodedTypeError) as wrong:
        gnet.Socket(high_water_mark='much')
    assert traceback.format_exception_only(wrong.type, wrong.value)[-1].startswith(
        'gnet.errors.CodedTypeError: The property')
    refused = connect_error(errno.ECONNREFUSED, 'connect', '127.0.0.1', 80)
    assert traceback.format_exception_only(type(refused), refused) == [
        'gnet.errors.ConnectionRefusedError: connect ECONNREFUSED 127.0.0.1:80\n']


def blocked() -> gnet.BlockList:
    block_list = gnet.BlockList()
    block_list.add_subnet('fc00::', 7, 'ipv6')
    block_list.add_address('1.2.3.4')
    return block_list


@pytest.mark.parametrize('value', [
    gnet.Address('127.0.0.1', 'IPv4', 80),
    gnet.SocketAddress(address='::1', family='ipv6', port=80),
    blocked(),
    state_error('ERR_SERVER_NOT_RUNNING'),
    invalid_arg_type('port', 'of type number', []),
    bad_port('options.port', 65536),
    gnet.AbortError(),
    system_error(errno.ECONNRESET, 'read'),
    lookup_error(socket.gaierror(socket.EAI_NONAME, ''), 'no.such.invalid'),
    all_attempts_failed([
        connect_error(errno.ECONNREFUSED, 'connect', address, 80) for address in ('::1', '1.2.3.4')
    ]),
], ids=lambda value: type(value).__name__)
def test_values_and_errors_can_be_pickled(value: object) -> None:
    again = pickle.loads(pickle.dumps(value))
    assert type(again) is type(value)
    assert repr(again) == repr(value)
    assert str(again) == str(value)
    assert getattr(again, 'code', None) == getattr(value, 'code', None)


# --- the wheel -----------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of the sources so that nothing is left in the checkout."""
    source = tmp_path_factory.mktemp('source')
    for name in ('setup.py', 'pyproject.toml', 'README.md', 'LICENSE', 'pytest_gnet.py'):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / 'gnet', source / 'gnet', ignore=shutil.ignore_patterns('__pycache__'))
    target = tmp_path_factory.mktemp('wheel')
    # The hook that pip calls; it needs nothing from the network.
    _run('-c', f'from setuptools.build_meta import build_wheel; build_wheel({str(target)!r})',
         cwd=source)
    [built] = target.iterdir()
    return built


def test_the_wheel_is_for_every_python_3_on_every_system(wheel: Path) -> None:
    assert wheel.name == f'gevent_net-{__version__}-py3-none-any.whl'


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if '.dist-info/' not in name}
    here = {
        path.relative_to(ROOT).as_posix() for path in _files()
        if path.relative_to(ROOT).parts[0] == 'gnet'
    }
    assert 'gnet/py.typed' in here
    assert held == here | {'pytest_gnet.py'}


def test_the_wheel_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        texts = {Path(name).name: archive.read(name).decode() for name in archive.namelist()
                 if '.dist-info/' in name}
    metadata = message_from_string(texts['METADATA'])
    assert (metadata['Name'], metadata['Version']) == ('gevent-net', __version__)
    assert metadata['Requires-Python'] == '>=3.9'
    needed = [each.replace(' ', '') for each in metadata.get_all('Requires-Dist')]
    assert [each for each in needed if ';' not in each] == ['gevent>=24.2.1', 'zope.event']
    assert 'gnet = gnet.command.main:main' in texts['entry_points.txt']
    assert 'pytest_gnet = pytest_gnet' in texts['entry_points.txt']
    assert 'MIT License' in texts['LICENSE']


def test_the_wheel_says_what_an_index_shows(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith('/METADATA')]
        metadata = message_from_string(archive.read(name).decode())
    assert (metadata['License-Expression'], metadata['License-File']) == ('MIT', 'LICENSE')
    classifiers = metadata.get_all('Classifier')
    # PEP 639: where there is an expression there are no classifiers of licences.
    assert [each for each in classifiers if each.startswith('License')] == []
    assert metadata['Keywords']
    # None is made up: there is one as soon as setup.py knows it.
    [home] = re.findall(r"^HOME = '(.*)'$", read('setup.py'), re.MULTILINE)
    assert metadata.get_all('Project-URL', []) == ([f'Source, {home}'] if home else [])
    assert (metadata['Home-page'] or '') == home
    assert {*metadata.get_all('Provides-Extra')} == {
        'pkcs12', 'prometheus', 'test', 'lint', 'types', 'docs', 'release', 'dev'}
    # Links into the checkout would lead nowhere on the page that an index makes of the README.
    shown = metadata.get_payload()
    assert shown.startswith('# gnet\n')
    assert re.findall(r'\]\((?!https://)[^)]*\)|^<!--', shown, re.MULTILINE) == []
    assert '[gevent](https://www.gevent.org)' in shown


def test_the_pythons_of_the_metadata_are_those_of_the_matrix() -> None:
    said = re.findall(r"'Programming Language :: Python :: 3\.(\d+)'", read('setup.py'))
    [tested] = re.findall(r'^    py\{([\d,]+)\}-libev$', read('tox.ini'), re.MULTILINE)
    assert [f'3{number}' for number in said] == tested.split(',')


def test_the_sdist_is_told_to_take_each_file_of_the_project() -> None:
    from setuptools._distutils.filelist import FileList

    files = {path.relative_to(ROOT).as_posix() for path in _files()}
    # (In a worktree, .git is a file.)
    files -= {'.git', '.gitignore', 'MANIFEST.in'}
    taken = FileList()
    taken.set_allfiles(sorted(files))
    for line in read('MANIFEST.in').splitlines():
        taken.process_template_line(line)
    # What setup.py names, setuptools takes without being told.
    told = {*taken.files, 'setup.py', *(name for name in files if name.startswith('gnet/'))}
    assert sorted(files - told) == []


def test_the_installed_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / 'site')
    _run('-c', 'import sys; sys.path.insert(0, "site"); import gnet, os; '
               'assert gnet.__file__ == os.path.abspath("site/gnet/__init__.py"), gnet.__file__',
         cwd=tmp_path)


# --- texts ---------------------------------------------------------------------------------------


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding='utf-8')


def test_the_newest_entry_of_the_changes_is_of_this_version_and_says_whether_it_is_out() -> None:
    entries = re.findall(r'^## (.*)$', read('CHANGES.md'), re.MULTILINE)
    assert re.fullmatch(
        rf'{re.escape(__version__)} \((unreleased|\d{{4}}-\d\d-\d\d)\)', entries[0]), entries
    assert [each for each in entries[1:] if not re.search(r'\(\d{4}-\d\d-\d\d\)$', each)] == []


def test_in_each_entry_of_the_changes_what_breaks_comes_first() -> None:
    order = ['Breaks', 'Added', 'Changed', 'Deprecated', 'Removed', 'Fixed']
    for entry in re.split(r'^## ', read('CHANGES.md'), flags=re.MULTILINE)[1:]:
        kinds = re.findall(r'^### (.*)$', entry, re.MULTILINE)
        assert kinds == [each for each in order if each in kinds]


@pytest.mark.parametrize(('page', 'shown'), [
    ('docs/live.md', f'{{"gnet": "{__version__}", '),
    ('docs/compatibility.md', f'gevent-net ~= {__version__}'),
])
def test_the_documents_show_this_version(page: str, shown: str) -> None:
    assert shown in read(page)


def test_the_readme_is_where_to_begin_and_no_manual() -> None:
    readme = read('README.md')
    assert len(readme.splitlines()) <= 150
    for page in ('docs/index.md', 'CHANGES.md', 'docs/compatibility.md', 'CONTRIBUTING.md'):
        assert f']({page})' in readme


@pytest.mark.parametrize('title', ['Run it', 'Test it'])
def test_the_readme_has_exactly_one_command_to(title: str) -> None:
    readme = read('README.md')
    [section] = re.findall(rf'^## {title}\n(.*?)(?=^## |\Z)', readme, re.MULTILINE | re.DOTALL)
    [block] = re.findall(r'^```sh\n(.*?)^```$', section, re.MULTILINE | re.DOTALL)
    assert len(block.splitlines()) == 1


def test_no_file_names_a_place_on_one_machine() -> None:
    places = [r'(?<![\w.])/(?:home|root|Users)/\w']
    if len(ROOT.parts) > 2:
        places.append(re.escape(str(ROOT)))
    if re.search(r'[\d.-]', socket.gethostname()) and len(socket.gethostname()) > 6:
        places.append(re.escape(socket.gethostname()))
    pattern = re.compile('|'.join(places))
    found = [
        f'{path.relative_to(ROOT)}:{number}: {line}'
        for path in _files()
        for number, line in enumerate(path.read_text('utf-8', 'replace').splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []

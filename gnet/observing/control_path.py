"""Where the control socket of a program is: a file that its owner alone may connect to."""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from gevent import monkey

__all__ = ['AUTO', 'ControlFile', 'candidates', 'default_path', 'is_allowed', 'open_control']

#: What names no path: the program's own place is found by its number.
AUTO = 'auto'

#: Clients that wait to be accepted.
BACKLOG = 8

#: Seconds that one which is there already has to take a connection, before it is believed to live.
PATIENCE = 1.0

#: What SO_PEERCRED gives: pid, uid, gid.
_CREDENTIALS = struct.Struct('3i')

#: The number of the user who may do all.
_ROOT = 0

_Socket: Any = monkey.get_original('socket', 'socket')


class ControlFile(NamedTuple):
    """A listening socket, and its file."""

    socket: Any
    path: str
    device: int
    inode: int

    def remove(self) -> None:
        """Close it, and remove the file, unless somebody else has taken its name."""
        with suppress(FileNotFoundError):
            found = os.lstat(self.path)
            if (found.st_dev, found.st_ino) == (self.device, self.inode):
                os.unlink(self.path)
        self.socket.close()


def _directories(uid: int) -> list[Path]:
    """Return where programs of the user *uid* may have their sockets, the best one first."""
    places = []
    runtime = os.environ.get('XDG_RUNTIME_DIR')
    if runtime and uid == os.geteuid():
        places.append(Path(runtime, 'gnet'))
    places += [Path(f'/run/user/{uid}/gnet'), Path(f'/tmp/gnet-{uid}')]
    return places


def default_path() -> str:
    """Return the place of this process, in a directory that is made if need be.

    Raises:
        OSError: the directory cannot be made, or is not its user's alone.
    """
    uid = os.geteuid()
    runtime = os.environ.get('XDG_RUNTIME_DIR')
    directory = Path(runtime, 'gnet') if runtime else Path(f'/tmp/gnet-{uid}')
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    # Anybody may have made it, in /tmp: then what is in it is theirs to replace.
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise PermissionError(
            errno.EPERM, "is not this user's own directory (mode 0700)", str(directory))
    _sweep(directory)
    return str(directory / f'{os.getpid()}.sock')


def _sweep(directory: Path) -> None:
    """Remove what programs have left that were killed."""
    for path in directory.glob('*.sock'):
        if path.stem.isdigit() and not _is_running(int(path.stem)):
            with suppress(FileNotFoundError):
                path.unlink()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def candidates(pid: int) -> list[str]:
    """Return where the control socket of process *pid* may be; those that are there, and are its
    user's: anybody may make such a directory in /tmp.

    Raises:
        ProcessLookupError: there is no such process.
    """
    if not _is_running(pid):
        raise ProcessLookupError(errno.ESRCH, 'no such process')
    uid = os.geteuid()
    with suppress(OSError):  # a system without /proc: it is of the same user
        uid = os.stat(f'/proc/{pid}').st_uid
    paths = [directory / f'{pid}.sock' for directory in _directories(uid)]
    return [str(path) for path in paths if _owner_of(path) == uid]


def _owner_of(path: Path) -> int | None:
    with suppress(OSError):
        return os.lstat(path).st_uid
    return None


def open_control(path: str) -> ControlFile:
    """Listen on *path*, which nobody but its owner may connect to.

    What a program has left there that is no more is replaced.

    Raises:
        OSError: ``EADDRINUSE``: a program listens there; ``EEXIST``: it is something else than a
            socket; or what the system says.
    """
    path = os.path.abspath(path)
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, 'is there already, and no socket', path)
        if _is_alive(path):
            raise OSError(errno.EADDRINUSE, 'is the control socket of a running program', path)
        os.unlink(path)
    sock = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        # Nobody can connect before it listens.
        os.chmod(path, 0o600)
        sock.listen(BACKLOG)
        sock.setblocking(False)
        found = os.lstat(path)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, path) from error
        raise
    return ControlFile(sock, path, found.st_dev, found.st_ino)


def _is_alive(path: str) -> bool:
    """Return whether somebody listens on the socket at *path*."""
    with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PATIENCE)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # it takes no more, or it is not ours to ask
    return True


def is_allowed(sock: Any) -> bool:
    """Return whether who has connected is the user of this process, or root."""
    if not hasattr(socket, 'SO_PEERCRED'):
        return True  # the mode of the file has to do
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid = _CREDENTIALS.unpack(credentials)[1]
    return uid in (_ROOT, os.geteuid())

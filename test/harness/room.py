"""A room: private mount, process and network namespaces in which a mail system stands as if installed.

/usr and /etc are overlays (what is written there is gone afterwards), /var/spool/postfix, /var/lib/postfix,
/var/mail and /home are plain folders of the scratch directory, /dev/log is a datagram socket whose lines land in
scratch/mail.log.  There are users postfix, alice, bob, carol and the group postdrop.  Needs root.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import itertools
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_FS, _CLONE_NEWNS, _CLONE_NEWPID, _CLONE_NEWNET = 0x200, 0x20000, 0x20000000, 0x40000000  # <linux/sched.h>
_numbers = itertools.count()
_AGENT = Path(__file__).with_name("agent.py")

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "LOGNAME": "root", "USER": "root"}


class Doorway:
    """A thread that stands in a room, so that what it starts does too.  nsenter(1) would cost more than most commands do."""

    def __init__(self, init: int) -> None:
        """INIT is process 1 of the room."""
        self._jobs: list[subprocess.Popen[bytes]] = []
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        try:
            self._thread.submit(self._go_in, Path(f"/proc/{init}")).result()
        except BaseException:
            self._thread.shutdown()
            raise

    @staticmethod
    def _go_in(process: Path) -> None:
        root = os.open(process / "root", os.O_PATH | os.O_DIRECTORY)
        spaces = [(os.open(process / "ns" / name, os.O_RDONLY), flag)
                  for name, flag in (("net", _CLONE_NEWNET), ("pid", _CLONE_NEWPID), ("mnt", _CLONE_NEWNS))]
        _succeed(_libc.unshare(_CLONE_FS), "unshare")
        for space, flag in spaces:
            _succeed(_libc.setns(space, flag), "setns")
            os.close(space)
        os.chdir(root)
        os.chroot(".")
        os.chdir("/")
        os.close(root)

    def start(self, argv: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        """A program that is not there is a FileNotFoundError."""
        return self._thread.submit(self._start, argv, **options).result()

    def _start(self, argv: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        # Kept here, not by the caller, whom an exception may meet before he knows of it.
        self._jobs = [job for job in self._jobs if job.returncode is None]
        self._jobs.append(subprocess.Popen(argv, **options))  # type: ignore[call-overload]
        return self._jobs[-1]

    def close(self) -> None:
        """After process 1 was killed, which ends only when all that was started here is waited for."""
        self._thread.shutdown()
        for job in self._jobs:
            job.wait()


def _succeed(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


class Room:
    """LAYERS are folders with usr/ and etc/, laid over the machine's own, topmost first.  IMAGE, when given, is a
    file system image that becomes /var/spool/postfix."""

    def __init__(self, layers: Sequence[Path], image: Path | None = None) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="waybill-room."))
        self.scratch.chmod(0o755)
        self._unshare = subprocess.Popen(
            ["unshare", "-mpnf", "--mount-proc", "--kill-child", "/usr/bin/python3", _AGENT, self.scratch, image or "", *layers],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=ENVIRONMENT)
        assert self._unshare.stdout
        if self._unshare.stdout.readline() != b"ready\n":
            self._unshare.wait()
            raise RuntimeError("the room could not be made: see the messages above")
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children").read_text()
        self.init = int(children.split()[0])
        try:
            self._init = os.pidfd_open(self.init)
            self._doorway = Doorway(self.init)
        except BaseException:
            self._unshare.kill()
            self._unshare.wait()
            raise

    def path(self, inside: str) -> Path:
        """The same file, as seen from outside."""
        return Path(f"/proc/{self.init}/root") / inside.lstrip("/")

    def numbers(self, database: str, name: str) -> list[int]:
        """The user and group id of NAME in /etc/passwd, or the id in /etc/group."""
        rows = (line.split(":") for line in self.path(database).read_text(encoding="utf-8").splitlines())
        return next([int(field) for field in row[2:4] if field.isdigit()] for row in rows if row[0] == name)

    @staticmethod
    def _as(user: str, argv: Sequence[object]) -> list[str]:
        become = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return become + [str(word) for word in argv]

    @staticmethod
    def _environment(user: str, more: Mapping[str, str] | None) -> dict[str, str]:
        account = {} if user == "root" else {"HOME": f"/home/{user}", "LOGNAME": user, "USER": user}
        return {**ENVIRONMENT, **account, **(more or {})}

    def run(self, argv: Sequence[object], *, input: str | bytes | None = None, user: str = "root", check: bool = True,
            env: Mapping[str, str] | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs a command in the room to its end; its output is text."""
        data = input.encode() if isinstance(input, str) else input
        with self._doorway.start(self._as(user, argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=self._environment(user, env)) as job:
            try:
                out, err = job.communicate(data or b"", timeout=timeout)
            except BaseException:
                job.kill()
                raise
        done = subprocess.CompletedProcess(list(map(str, argv)), job.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(done.args)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def shell(self, script: str, **options: object) -> str:
        """Runs a shell script in the room; returns what it wrote."""
        return self.run(["sh", "-ec", script], **options).stdout  # type: ignore[arg-type]

    def spawn(self, argv: Sequence[object], *, user: str = "root", env: Mapping[str, str] | None = None,
              **options: object) -> subprocess.Popen[bytes]:
        """Starts a command in the room; it ends with the room at the latest."""
        options.setdefault("stdin", subprocess.DEVNULL)
        return self._doorway.start(self._as(user, argv), env=self._environment(user, env), **options)

    def settle_log(self) -> None:
        """Waits until whatever has been sent to /dev/log so far stands in scratch/mail.log."""
        seen = self.scratch / f"logged.{os.getpid()}.{next(_numbers)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log, contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            log.sendto(f"<sync>{seen.name}".encode(), str(self.path("/dev/log")))
            until = time.monotonic() + 20
            while not seen.exists() and time.monotonic() < until:
                time.sleep(0.002)
            seen.unlink()

    def network(self) -> contextlib.AbstractContextManager[None]:
        """Sockets that this thread makes meanwhile belong to the room's network, and stay there."""
        return in_network(Path(f"/proc/{self.init}/ns/net"))

    def write(self, inside: str, text: str) -> None:
        """Writes a file of the room, through its overlay."""
        replace(self.path(inside), text)

    def close(self) -> None:
        # Its child, process 1 of the room, dies with it, and has ended when everything in the room has, and is waited for.
        self._unshare.kill()
        self._unshare.wait()
        self._doorway.close()
        select.select([self._init], [], [], 60)
        os.close(self._init)
        assert self._unshare.stdout
        self._unshare.stdout.close()
        if not os.environ.get("WAYBILL_KEEP"):
            shutil.rmtree(self.scratch, ignore_errors=True)


def replace(file: Path, text: str) -> None:
    """Whoever reads FILE meanwhile sees the old one or the new one, whole."""
    new = file.with_name(file.name + ".new")
    new.write_text(text, encoding="utf-8")
    if file.exists():
        shutil.copymode(file, new)
        os.chown(new, file.stat().st_uid, file.stat().st_gid)
    new.replace(file)


@contextlib.contextmanager
def in_network(network: Path) -> Iterator[None]:
    """Sockets that this thread makes meanwhile belong to the network namespace NETWORK, and stay there."""
    with open("/proc/thread-self/ns/net") as home, open(network) as away:
        _setns(away.fileno())
        try:
            yield
        finally:
            _setns(home.fileno())


def enter_new_network() -> None:
    """From here on this thread, and what it starts, has a network with nothing but a loopback interface."""
    _succeed(_libc.unshare(_CLONE_NEWNET), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _setns(descriptor: int) -> None:
    _succeed(_libc.setns(descriptor, _CLONE_NEWNET), "setns")

"""A room: private mount, process and network namespaces in which a mail system stands as if installed.

/usr and /etc are overlays (what is written there is gone afterwards), /var/spool/postfix, /var/lib/postfix,
/var/mail and /home are plain folders of the scratch directory, /dev/log is a datagram socket whose lines land in
scratch/mail.log.  There are users postfix, alice, bob, carol and the group postdrop.  Needs root.
"""

from __future__ import annotations

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
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()
_AGENT = Path(__file__).with_name("agent.py")

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "LOGNAME": "root", "USER": "root"}


class Room:
    """LAYERS are folders with usr/ and etc/, laid over the machine's own, topmost first.  IMAGE, when given, is a
    file system image that becomes /var/spool/postfix."""

    def __init__(self, layers: Sequence[Path], image: Path | None = None) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="waybill-room."))
        self.scratch.chmod(0o755)
        self._jobs: list[subprocess.Popen[bytes]] = []
        self._unshare = subprocess.Popen(
            ["unshare", "-mpnf", "--mount-proc", "--kill-child", "/usr/bin/python3", _AGENT, self.scratch, image or "", *layers],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=ENVIRONMENT)
        assert self._unshare.stdout
        if self._unshare.stdout.readline() != b"ready\n":
            self._unshare.wait()
            raise RuntimeError("the room could not be made: see the messages above")
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children").read_text()
        self.init = int(children.split()[0])
        self._init = os.pidfd_open(self.init)

    def path(self, inside: str) -> Path:
        """The same file, as seen from outside."""
        return Path(f"/proc/{self.init}/root") / inside.lstrip("/")

    def _enter(self, argv: Sequence[object], user: str) -> list[str]:
        into = ["nsenter", "-t", str(self.init), "-m", "-p", "-n", "-r", "-w"]  # the root and folder of process 1
        if user != "root":
            into += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return into + [str(word) for word in argv]

    @staticmethod
    def _environment(user: str, more: Mapping[str, str] | None) -> dict[str, str]:
        account = {} if user == "root" else {"HOME": f"/home/{user}", "LOGNAME": user, "USER": user}
        return {**ENVIRONMENT, **account, **(more or {})}

    def run(self, argv: Sequence[object], *, input: str | bytes | None = None, user: str = "root", check: bool = True,
            env: Mapping[str, str] | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs a command in the room to its end; its output is text."""
        data = input.encode() if isinstance(input, str) else input
        with subprocess.Popen(self._enter(argv, user), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
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
        job = subprocess.Popen(self._enter(argv, user), env=self._environment(user, env), **options)  # type: ignore[call-overload]
        self._jobs.append(job)
        return job

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
        # Its child, process 1 of the room, dies with it, and has ended when everything in the room has.
        self._unshare.kill()
        for job in self._jobs:
            job.kill()  # nsenter stops with what it runs, and then does not see it end
        self._unshare.wait()
        select.select([self._init], [], [])
        os.close(self._init)
        assert self._unshare.stdout
        self._unshare.stdout.close()
        for job in self._jobs:
            job.wait()
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
    if _libc.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")

"""Our own system: as if installed in a room, or as a private rootless instance."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import conf, mailbox, paths, room
from .installed import Installed
from .log import Log
from .system import HOSTNAME, Process, System

# Without these no mail moves at all.
NEEDED = [f"libexec/{name}" for name in ("master", "pickup", "cleanup", "trivial-rewrite", "qmgr", "smtpd", "smtp", "local", "bounce", "error")] + [
    f"sbin/{name}" for name in ("sendmail", "postdrop", "postqueue", "postconf", "postlog", "postfix", "postsuper")]


def missing(*more: str) -> list[str]:
    """The programs that an installed Waybill lacks."""
    return paths.missing_programs([*NEEDED, *more])


@functools.cache
def stage() -> Path:
    """Our programs and configuration, laid out as `make install` does; made once in a run.

    DESTDIR installation itself has a test of its own; this one follows WAYBILL_ROOT.
    """
    folder = Path(tempfile.mkdtemp(prefix="waybill-stage."))
    folder.chmod(0o755)
    root = paths.build_root()
    for source, target in (("sbin", "usr/sbin"), ("libexec", "usr/lib/postfix/sbin")):
        shutil.copytree(root / source, folder / target)
    for link in ("mailq", "newaliases"):
        (folder / "usr/bin").mkdir(exist_ok=True)
        (folder / "usr/bin" / link).symlink_to("../sbin/sendmail")
    (folder / "usr/lib/sendmail").symlink_to("../sbin/sendmail")
    (folder / "etc/postfix").mkdir(parents=True)
    atexit.register(shutil.rmtree, folder, True)
    return folder


def master_text() -> str:
    """The master.cf that Waybill installs; Debian's until there is one, since the grammar is the same."""
    for own in (paths.REPO / "conf/master.cf", paths.build_root() / "etc/master.cf"):
        if own.exists():
            return own.read_text()
    return (paths.oracle() / "usr/share/postfix/master.cf.dist").read_text()


class Waybill(Installed):
    name = "waybill"

    def __init__(self, *, fifo: bool = False, swapped: Mapping[str, Path] | None = None, image: Path | None = None) -> None:
        super().__init__([stage(), paths.peers()], fifo=fifo, swapped=swapped, image=image)

    def master_text(self) -> str:
        return master_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


NOBODY = 65534


@functools.cache
def rootless_programs() -> Path:
    """build/root, or a copy of it when an ordinary user may not enter there."""
    root = paths.build_root()
    if os.geteuid() == 0 and subprocess.run([*_as_nobody(), "test", "-x", root / "sbin/sendmail"], check=False).returncode != 0:
        folder = Path(tempfile.mkdtemp(prefix="waybill-root."))
        folder.chmod(0o755)
        shutil.copytree(root, folder / "root")
        atexit.register(shutil.rmtree, folder, True)
        return folder / "root"
    return root


def _as_nobody() -> list[str]:
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []


class Instance(System):
    """A private instance that `waybill init` made, run by the user who runs the tests; by nobody if that is root,
    so that it is rootless and the machine gets no new accounts."""

    name = "waybill"
    rootless = True

    def __init__(self, domain: str = "test.invalid") -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="waybill-instance."))
        self.smtp_port = free_port()
        self._me = pwd.getpwuid(os.getuid() or NOBODY).pw_name
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        self._jobs: list[subprocess.Popen[bytes]] = []
        done = subprocess.run([*_as_nobody(), rootless_programs() / "sbin/waybill", "init", self.folder, "--smtp-port", str(self.smtp_port),
                               "--domain", domain], env=self._env(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"waybill init: status {done.returncode}\n{done.stdout}{done.stderr}")
        self.spool = self.folder / "spool"
        self.log = Log(self.folder / "log" / "mail.log")
        self._own_main = (self.folder / "etc/main.cf").read_text()
        self._own_master = (self.folder / "etc/master.cf").read_text()
        self.configure([f"myhostname = {HOSTNAME}"])

    def _env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        path = f"{rootless_programs() / 'sbin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        return {**os.environ, "PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8", "MAIL_CONFIG": str(self.folder / "etc"), **(more or {})}

    def write_configuration(self) -> None:
        room.replace(self.folder / "etc/main.cf", conf.with_main(self._own_main, self.main))
        room.replace(self.folder / "etc/master.cf", conf.with_rows(self._own_master, self.rows))

    def run(self, argv: Sequence[object], *, input: str | bytes | None = None, user: str = "root", check: bool = True,
            env: Mapping[str, str] | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        data = input.encode() if isinstance(input, str) else (input or b"")
        # Output goes to files: a daemon that keeps a pipe of ours open must not keep us waiting.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            job = subprocess.run([*_as_nobody(), *map(str, argv)], cwd=self.folder, input=data, stdout=out, stderr=err, env=self._env(env), timeout=timeout, check=False)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
        done = subprocess.CompletedProcess(list(map(str, argv)), job.returncode, texts[0], texts[1])
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(done.args)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def spawn(self, argv: Sequence[object], **options: object) -> subprocess.Popen[bytes]:
        options.setdefault("stdin", subprocess.DEVNULL)
        job = subprocess.Popen([*_as_nobody(), *map(str, argv)], cwd=self.folder, env=self._env(), **options)  # type: ignore[call-overload]
        self._jobs.append(job)
        return job

    def network(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def peer(self, name: str) -> list[str]:
        usr = paths.peers() / "usr"
        return ["env", f"LD_LIBRARY_PATH={usr / 'lib/postfix'}", str(usr / "sbin" / name)]

    def processes(self) -> list[Process]:
        """Its daemons: other instances of the same user have theirs elsewhere."""
        # ps ends with 1 when there is none.
        rows = subprocess.run(["ps", "-ww", "-u", self._me, "-o", "pid=,ppid=,user=,args="], stdout=subprocess.PIPE, text=True, check=False).stdout
        every = [Process(int(row[0]), int(row[1]), row[2], row[3]) for line in rows.splitlines() if len(row := line.split(None, 3)) == 4]
        return [process for process in every if self._is_at_home(process.pid)]

    def _is_at_home(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True).is_relative_to(self.folder.resolve())
        except OSError:
            return False  # it has ended

    def mailbox(self, user: str) -> list[str]:
        return mailbox.maildir(self.folder / "mail" / user)

    def close(self) -> None:
        if self.running:
            with contextlib.suppress(Exception):
                self.end_daemons()
            with contextlib.suppress(Exception):
                room.replace(self.folder / "etc/main.cf", self._own_main)  # a test's may have values that keep it from being stopped
                self.stop()
        for job in self._jobs:
            job.kill()
            job.wait()
        if not os.environ.get("WAYBILL_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

"""Where things are: this checkout, our built programs, Debian's unpacked Postfix."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def build_root() -> Path:
    """The folder with sbin/ and libexec/ of our own programs; WAYBILL_ROOT names another."""
    return Path(os.environ.get("WAYBILL_ROOT") or REPO / "build" / "root").resolve()


def our_program(name: str) -> Path:
    """Our daemon or command called NAME, built or not."""
    daemon = build_root() / "libexec" / name
    return daemon if daemon.exists() else build_root() / "sbin" / name


def our_submission() -> dict[str, Path]:
    """What stands in for Debian's sendmail and postdrop, which cost several times as much, in tests of what comes after them."""
    return {name: our_program(name) for name in ("sendmail", "postdrop")}


def missing_programs(names: list[str]) -> list[str]:
    """Those of NAMES ("libexec/qmgr", "sbin/postcat") that are not built."""
    return [name for name in names if not os.access(build_root() / name, os.X_OK)]


@functools.cache
def oracle() -> Path:
    """The folder into which Debian's Postfix is unpacked; fetches it when it is not there yet."""
    done = subprocess.run([REPO / "tools" / "oracle"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


@functools.cache
def peers() -> Path:
    """A layer with those of Debian's unpacked programs that tests use beside our own system.

    It has Debian's libraries, so that single Debian daemons run too, and none of its commands whose name
    ours have: a program that we lack must be missing, not silently Debian's.
    """
    layer = oracle() / ".peers"
    wanted = (
        "usr/lib/postfix/*.so",
        "usr/lib/*-linux-gnu/*.so*",
        "usr/sbin/smtp-sink",
        "usr/sbin/smtp-source",
        "usr/sbin/qshape",
        "usr/bin/bsd-mailx",
    )
    for pattern in wanted:
        for file in oracle().glob(pattern):
            link = layer / file.relative_to(oracle())
            if not os.path.lexists(link):
                link.parent.mkdir(parents=True, exist_ok=True)
                _copy(file, link)
    (layer / "etc").mkdir(parents=True, exist_ok=True)
    mail_rc = oracle() / "etc" / "mail.rc"
    if mail_rc.exists() and not (layer / "etc" / "mail.rc").exists():
        _copy(mail_rc, layer / "etc" / "mail.rc")
    return layer


def _copy(file: Path, to: Path) -> None:
    # By rename, since several test runs may do this at once.
    temporary = to.with_name(f"{to.name}.{os.getpid()}")
    subprocess.run(["cp", "-a", file, temporary], check=True)
    os.rename(temporary, to)


def let_enter(folder: Path) -> Path:
    """FOLDER, which other users may enter now."""
    for one in (folder, *folder.parents):
        if one.stat().st_mode & 0o005 == 0o005:
            break
        one.chmod(0o755)
    return folder

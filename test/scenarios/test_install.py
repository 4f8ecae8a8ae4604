"""`make install` with DESTDIR: the layout, and that what was installed runs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from harness import conf, paths, waybill
from harness.installed import Installed
from harness.room import Room

LAYOUT = ("usr/sbin/postfix", "usr/sbin/sendmail", "usr/sbin/postdrop", "usr/lib/postfix/sbin/master", "usr/lib/postfix/sbin/smtpd",
          "etc/postfix/main.cf", "etc/postfix/master.cf")


class FromDestdir(Installed):
    """The system as `make install` laid it out, with its own configuration files."""

    name = "waybill"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__([folder, paths.peers()])

    def master_text(self) -> str:
        return (self._folder / "etc/postfix/master.cf").read_text()


def check_pages(folder: Path) -> None:
    """Each page of the sources is installed, and groff has nothing to say against it."""
    sources = {path.name.removesuffix(".md") for path in paths.REPO.glob("src/**/*.[1-9].md")}
    pages = {path.name: path for path in folder.glob("man*/*")}
    assert sources and sources <= set(pages)
    for name in sources:
        text = pages[name].read_text()
        assert text.startswith(f".TH {name.rpartition('.')[0].upper()} "), name
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", pages[name]], capture_output=True, text=True, check=True)
            assert done.stderr == "", name


def install(folder: Path) -> None:
    """In a room, which has the accounts, whether the machine has them or not."""
    room = Room([])
    try:
        done = room.run(["make", "-C", paths.REPO, "install", f"DESTDIR={folder}"], env={**os.environ, "MAKEFLAGS": ""}, check=False, timeout=600)
    finally:
        room.close()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.root
@pytest.mark.scenario
@pytest.mark.needs_program(*waybill.NEEDED)
def test_installed_system_delivers(scratch: Path) -> None:
    if paths.build_root() != paths.REPO / "build/root":
        pytest.skip("tests run on another build than the one that make install installs")
    install(scratch)
    for name in LAYOUT:
        assert (scratch / name).is_file(), f"{name} is missing"
    for name in ("usr/sbin/postdrop", "usr/sbin/postqueue"):
        assert (scratch / name).stat().st_mode & stat.S_ISGID, f"{name} is not set-gid"
    check_pages(scratch / "usr/share/man")
    assert conf.with_rows((scratch / "etc/postfix/master.cf").read_text(), [])
    with FromDestdir(scratch) as system:
        system.start()
        system.send("alice", user="bob")
        system.wait_mailbox("alice")
        system.wait_queue()

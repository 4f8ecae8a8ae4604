"""Confined daemons know the users that nsswitch.conf names, wherever its modules lie and it lies itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import findings, waybill
from scenarios.where import INSTALLED

from . import puppet

pytestmark = [pytest.mark.root, pytest.mark.scenario, pytest.mark.needs_program(*waybill.NEEDED)]

if findings.folder() is not None:
    pytest.skip("builds for sanitizers are not confined", allow_module_level=True)

SOURCE = Path(__file__).parent / "nss_elsewhere.c"


def test_module_elsewhere(tmp_path: Path) -> None:
    """One that the sandbox does not let it open: it is there before."""
    module = tmp_path / "libnss_elsewhere.so.2"
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-Wl,-soname,{module.name}", "-o", module, SOURCE], check=True)
    with waybill.Waybill() as system:
        system.room.run(["install", "-D", "-m", "755", module, f"/home/nss/{module.name}"])
        system.room.shell(f"ln -s /home/nss/{module.name} /usr/lib/$(uname -m)-linux-gnu/")
        system.room.write("/etc/nsswitch.conf", "passwd: files elsewhere\n")
        system.configure(INSTALLED)
        system.start()
        system.send("distant")
        assert system.log.wait(r"to=<distant@.*status=(\w+)")[0][1] == "sent"


@pytest.mark.parametrize("path", ["/etc/nsswitch.conf", "/usr/etc/nsswitch.conf"])
def test_users_over_the_network(tmp_path: Path, path: str) -> None:
    """A source that asks over the network may."""
    tool = puppet.built(tmp_path, "puppet")
    with waybill.Waybill() as system:
        system.room.shell("rm -f /etc/nsswitch.conf; mkdir -p /usr/etc")
        system.room.write(path, "passwd: files nis\n")
        system.configure(INSTALLED)
        system.start()
        system.send("alice")
        system.log.wait(r"to=<alice@.*status=sent")
        pid = system.children("trivial-rewrite")[0]
        assert puppet.attempt(system, tool, pid, {"tcp": puppet.TCP, "raw": puppet.RAW}) == {"tcp": "", "raw": "EACCES"}

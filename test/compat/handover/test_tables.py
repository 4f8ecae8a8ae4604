"""Tables that either postmap and postalias have made serve both systems."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from harness import paths, waybill
from harness.oracle import Postfix
from harness.smtp import dialogue

from .spool import KINDS

TYPES = ("hash", "btree", "lmdb")
TABLES = [f"{type}-{maker}" for type, maker in itertools.product(TYPES, ("debian", "ours"))]


def make_tables(folder: Path) -> None:
    """Each has addresses of its own."""
    with Postfix() as system:
        system.write_configuration()
        for type in TYPES:
            for maker, program in (("debian", ""), ("ours", f"{paths.build_root()}/sbin/")):
                name = f"{type}-{maker}"
                (folder / name).write_text(f"{name}@test.invalid REJECT said {name}\n" + "".join(f"user{n}@far.example OK {n}\n" for n in range(5000)))
                (folder / f"{name}-aliases").write_text(f"{name}: alice\n" + "".join(f"alias{n}: bob\n" for n in range(5000)))
                system.run([f"{program}postmap", f"{type}:{folder}/{name}"])
                system.run([f"{program}postalias", f"{type}:{folder}/{name}-aliases"])


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.parametrize("kind", ["postfix", pytest.param("waybill", marks=pytest.mark.needs_program(*waybill.NEEDED, "sbin/postmap", "sbin/postalias"))])
def test_serve_both(kind: str, scratch: Path) -> None:
    make_tables(scratch)
    maps = [f"{name.split('-')[0]}:{scratch}/{name}" for name in TABLES]
    with KINDS[kind]() as system:
        system.configure(["mydestination = $myhostname, localhost, test.invalid", "alias_maps = " + " ".join(f"{one}-aliases" for one in maps),
                          "smtpd_recipient_restrictions = " + ", ".join(f"check_sender_access {one}" for one in maps) + ", permit_mynetworks, reject"])
        system.start()
        for name, one in zip(TABLES, maps):
            said = dialogue(system, ["EHLO client.example", f"MAIL FROM:<{name}@test.invalid>", "RCPT TO:<alice@test.invalid>"])
            assert said[-1] == f"554 5.7.1 <{name}@test.invalid>: Sender address rejected: said {name}"
            assert system.run(["postmap", "-q", "user4711@far.example", one]).stdout == "OK 4711\n"
            system.send(f"{name}@test.invalid", text=f"Subject: {name}\n\nx\n")
        assert len(system.wait_mailbox("alice", len(TABLES))) == len(TABLES)
        system.wait_queue()

"""A program of an ASan build that does wrong is reported: as a daemon's user, set-gid, in an empty environment, of an
ordinary user's instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from . import findings, paths, waybill
from .system import System

SAMPLE = paths.build_root().parent / "tools/sanitizer_sample"

WRONG = {"overflow": "heap-buffer-overflow", "undefined": "signed integer overflow", "leak": "detected memory leaks", "abort": "ABRT"}

pytestmark = pytest.mark.skipif(findings.folder() is None, reason="not an ASan build")


@pytest.fixture
def room(make_system: Callable[..., System]) -> System:
    return make_system("waybill", swapped={"sample": SAMPLE})


@pytest.fixture
def instance() -> Iterator[System]:
    with waybill.Instance() as system:
        yield system


def check(system: System, argv: list[str], what: str, **options: str) -> None:
    done = system.run(["env", "-i", *argv, what], check=False, **options)  # type: ignore[arg-type]
    found = findings.take()
    assert done.returncode != 0
    assert WRONG[what] in found and "== sample" in found.replace("sanitizer_sample", "sample"), found + done.stderr


@pytest.mark.root
@pytest.mark.parametrize("what", WRONG)
def test_daemons_user(room: System, what: str) -> None:
    check(room, ["/usr/sbin/sample"], what, user="postfix")


@pytest.mark.root
@pytest.mark.parametrize("what", sorted(WRONG.keys() - {"leak"}))  # which cannot be seen there
def test_set_gid(room: System, what: str) -> None:
    room.run(["sh", "-c", "chgrp postdrop /usr/sbin/sample; chmod 2755 /usr/sbin/sample"])
    check(room, ["/usr/sbin/sample"], what, user="alice")


@pytest.mark.root
def test_traced(room: System) -> None:
    """Leaks cannot be seen there, either, and that is no finding; the rest is."""
    room.run(["strace", "-f", "-o", "/dev/null", "/usr/sbin/sample", "leak"])
    assert findings.take() == ""
    check(room, ["strace", "-f", "-o", "/dev/null", "/usr/sbin/sample"], "overflow")


@pytest.mark.parametrize("what", WRONG)
def test_instance(instance: System, what: str) -> None:
    check(instance, [str(SAMPLE)], what)


def test_nothing_wrong(instance: System) -> None:
    instance.run([SAMPLE, "none"])
    assert findings.take() == ""

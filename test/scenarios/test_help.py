"""Every program has a page, and every command says what it is when asked with --help, wherever and by whom."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import paths

ALSO_CALLED = {"mailq": "sendmail", "newaliases": "sendmail", "postalias": "postmap", "lmtp": "smtp"}


def programs(folder: str) -> list[Path]:
    return sorted(path for path in (paths.build_root() / folder).glob("*") if path.is_file())


@pytest.mark.parametrize("program", programs("sbin"), ids=lambda program: program.name)
def test_help(program: Path) -> None:
    done = subprocess.run([program, "--help"], env={}, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")
    assert "COMMAND" in done.stdout or "(1) tells more." in done.stdout


@pytest.mark.parametrize("program", [*programs("sbin"), *programs("libexec")], ids=lambda program: program.name)
def test_page(program: Path) -> None:
    name = ALSO_CALLED.get(program.name, program.name)
    assert list(paths.REPO.glob(f"src/*/*/{name}.[18].md")) != []

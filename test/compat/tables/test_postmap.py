"""postmap does with owners, modes and increments what Debian's does."""

from __future__ import annotations

import pytest

from harness import paths
from harness.oracle import Postfix

SCRIPT = r"""
postmap=$1; cd "$(mktemp -d)"; chmod 755 .; mkdir own; chown alice own
for mode in 640 600 644; do
    printf 'a 1\nB 2\n' > own/m$mode; chown alice own/m$mode; chmod $mode own/m$mode
    $postmap hash:$PWD/own/m$mode; stat -c '%n %a %U' own/m$mode.db
done
printf 'k v\n' > root; chmod 600 root; $postmap hash:$PWD/root; stat -c '%n %a %U' root.db
# The owner may not write here: nothing is made, least of all for everybody to read.
printf 'k v\n' > foreign; chown alice foreign; chmod 600 foreign
$postmap hash:$PWD/foreign 2>&1 | sed "s,$PWD,DIR,g"; [ -e foreign.db ] && echo made
# -i reads standard input, so a deleted key stays deleted.
printf 'new 9\n' | $postmap -i hash:$PWD/root; $postmap -d k hash:$PWD/root; printf 'z 1\n' | $postmap -i hash:$PWD/root
$postmap -q k hash:$PWD/root; echo "status $?"; $postmap -s hash:$PWD/root | sort
$postmap -q B hash:$PWD/own/m644; printf 'a\nzz\nb\n' | $postmap -q - hash:$PWD/own/m644; echo "status $?"
"""


@pytest.mark.root
@pytest.mark.compat
@pytest.mark.needs_program("sbin/postmap")
def test_owner_mode_and_increment() -> None:
    with Postfix() as system:
        system.start()
        debians, ours = (system.run(["sh", "-c", SCRIPT, "sh", str(program)]).stdout
                         for program in ("postmap", paths.build_root() / "sbin/postmap"))
    assert "own/m640.db 640 alice" in debians and "status 1" in debians
    assert ours == debians

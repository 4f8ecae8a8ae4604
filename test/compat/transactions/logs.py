"""What programs that read mail logs make of one."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

# The modes of fail2ban's filter for Postfix.
MODES = ("normal", "more", "auth", "rbl", "ddos", "extra", "aggressive", "errors")

_ALWAYS = {"PATH": "/usr/bin:/usr/sbin:/bin:/sbin", "LC_ALL": "C", "PERL_HASH_SEED": "0"}


def timeless(lines: Sequence[str]) -> str:
    """As if all had been logged, and delivered, in the same second, and by the same process."""
    text = "\n".join(lines) + "\n"
    text = re.sub(r"(?m)^\w{3} [ \d]\d [\d:]{8} ", "Nov 27 12:00:00 ", text)
    text = re.sub(r"delay=[\d.]+, delays=[\d./]+", "delay=0.1, delays=0.1/0/0/0", text)
    return re.sub(r"\[\d+\]: ", "[1]: ", text)


def pflogsumm(lines: Sequence[str]) -> list[str]:
    """Its report.  What is counted equally often comes in no order of its own."""
    done = subprocess.run(["pflogsumm", "--verbose_msg_detail"], input=timeless(lines), capture_output=True, text=True, check=True, env=_ALWAYS)
    return sorted(re.sub(r"\b[0-9A-F]{8,14}\b", "ID", line) for line in done.stdout.splitlines())


def fail2ban(lines: Sequence[str], mode: str) -> list[str]:
    """How many lines each expression of the filter finds."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "mail.log"
        log.write_text(timeless(lines))
        done = subprocess.run(["fail2ban-regex", "-v", log, f"postfix[mode={mode}]"], capture_output=True, text=True, check=True, env=_ALWAYS)
    found = [line for line in done.stdout.splitlines() if re.match(r"(Prefregex|Failregex|Ignoreregex): |\|  +\d+\) \[\d+\] ", line)]
    assert found, done.stdout + done.stderr
    return found

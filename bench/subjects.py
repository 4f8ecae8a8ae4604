"""The systems that are measured."""

from __future__ import annotations

import argparse
import functools
import sys
from dataclasses import replace

import opensmtpd
from harness import paths, waybill
from harness.oracle import Postfix
from measure import Subject

# What Postfix's own tuning guide offers for speed: nothing held back, and as much at a time as the machine can bear.
TUNED = ("default_process_limit = 200", "in_flow_delay = 0", "default_destination_concurrency_limit = 100")

# In the order in which they take turns.
SUBJECTS = {"postfix": Subject(Postfix), "tuned": Subject(Postfix, TUNED), "opensmtpd": Subject(opensmtpd.OpenSmtpd), "waybill": Subject(waybill.Waybill)}


def wanted(options: argparse.Namespace) -> dict[str, Subject]:
    names = {"both": ["postfix", "waybill"], "all": list(SUBJECTS)}.get(options.system, [options.system])
    if "waybill" in names and (missing := waybill.missing()):
        print(f"Waybill is left out, not built: {' '.join(missing)}", file=sys.stderr)
        names.remove("waybill")
    found = {name: SUBJECTS[name] for name in names}
    if options.ours:
        found["mixed"] = Subject(functools.partial(Postfix, swapped={name: paths.our_program(name) for name in options.ours}))
    return {name: replace(subject, main=(*subject.main, *options.main)) for name, subject in found.items()}

"""A name server for a room, on 127.0.0.1:53."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from dnslib import RCODE, RR, DNSRecord, QTYPE  # type: ignore[import-untyped]
from dnslib.server import BaseResolver, DNSServer  # type: ignore[import-untyped]

from .system import System


class Zone(BaseResolver):  # type: ignore[misc]
    """Answers from zone file lines; every name that has none does not exist.  asked says what was looked up."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._records = RR.fromZone("\n".join(lines)) if lines else []

    def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
        reply = request.reply()
        name, kind = request.q.qname, QTYPE[request.q.qtype]
        self.asked.append(f"{name} {kind}")
        same = [record for record in self._records if record.rname == name]
        for record in same:
            if QTYPE[record.rtype] in (kind, "CNAME"):
                reply.add_answer(record)
        if not same and not any(str(record.rname).endswith("." + str(name)) for record in self._records):
            reply.header.rcode = RCODE.NXDOMAIN
        return reply


class _Quiet:
    def __getattr__(self, name: str) -> object:
        return lambda *_: None


@contextlib.contextmanager
def name_server(system: System, lines: Sequence[str] = ()) -> Iterator[Zone]:
    """Serves LINES ("example.org. 60 MX 10 a.example.org.") on UDP and TCP while the context lasts."""
    zone = Zone(lines)
    servers = []
    try:
        with system.network():
            for tcp in (False, True):
                servers.append(DNSServer(zone, address="127.0.0.1", port=53, tcp=tcp, logger=_Quiet()))
        for server in servers:
            server.start_thread()
        yield zone
    finally:
        for server in servers:
            server.stop()
            server.server.server_close()

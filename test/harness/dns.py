"""A name server for a room, on 127.0.0.1:53."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from dnslib import RCODE, RR, DNSError, DNSRecord, QTYPE  # type: ignore[import-untyped]
from dnslib.server import BaseResolver, DNSServer  # type: ignore[import-untyped]

from .system import System


class Zone(BaseResolver):  # type: ignore[misc]
    """Answers from zone file lines; every name that has none does not exist.  asked says what was looked up.

    ODD maps a name, or "name type", to what goes wrong with it:
        servfail, refused, formerr, notimp     that answer
        silent     no answer at all
        cut        over UDP the answer is truncated, over TCP it is whole
        cut-both   truncated over TCP too
        wrong-id, wrong-question               an answer to something else
        lame       a referral instead of an answer"""

    def __init__(self, lines: Sequence[str], odd: Mapping[str, str] | None = None) -> None:
        self.asked: list[str] = []
        self._odd = dict(odd or {})
        self._records: dict[str, list[RR]] = {}
        for record in RR.fromZone("\n".join(lines)) if lines else []:
            self._records.setdefault(str(record.rname).lower(), []).append(record)

    def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
        reply = request.reply()
        name, kind = request.q.qname, QTYPE[request.q.qtype]
        self.asked.append(f"{name} {kind}")
        same = self._records.get(str(name).lower(), [])
        for record in same:
            if QTYPE[record.rtype] in (kind, "CNAME"):
                reply.add_answer(record)
        if not same and not any(known.endswith("." + str(name).lower()) for known in self._records):
            reply.header.rcode = RCODE.NXDOMAIN
        return self._spoil(reply, f"{name} {kind}", getattr(handler, "protocol", "udp"))

    def _spoil(self, reply: DNSRecord, question: str, protocol: str) -> DNSRecord:
        how = self._odd.get(question) or self._odd.get(question.split(" ")[0], "")
        if how in ("servfail", "refused", "formerr", "notimp"):
            reply.rr = []
            reply.header.rcode = getattr(RCODE, how.upper())
        elif how == "silent":
            raise DNSError("no answer")
        elif how == "cut-both" or (how == "cut" and protocol == "udp"):
            reply.rr = []
            reply.header.tc = 1
        elif how == "wrong-id":
            reply.header.id ^= 1
        elif how == "wrong-question":
            reply.questions = DNSRecord.question("other.test").questions
        elif how == "lame":
            reply.rr, reply.header.rcode, reply.header.aa = [], RCODE.NOERROR, 0
            reply.add_auth(*RR.fromZone("test. 60 NS ns.other.invalid."))
        return reply


class _Quiet:
    def __getattr__(self, name: str) -> object:
        return lambda *_: None


@contextlib.contextmanager
def name_server(system: System, lines: Sequence[str] = (), odd: Mapping[str, str] | None = None) -> Iterator[Zone]:
    """Serves LINES ("example.org. 60 MX 10 a.example.org.") on UDP and TCP while the context lasts."""
    zone = Zone(lines, odd)
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

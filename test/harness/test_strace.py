"""Reading traces."""

from __future__ import annotations

import pytest

from harness.strace import Trace, argv, environment, environment_size, parse

ROWS = [
    ("whole", '7  close(3) = 0\n', ["7 close(3) = 0"]),
    ("padded", '7     fsync(13)                         = 0\n', ["7 fsync(13) = 0"]),
    ("error", '7 unlink("a") = -1 ENOENT (No such file or directory)\n', ['7 unlink("a") = -1 ENOENT (No such file or directory)']),
    ("two halves", '7 read(4,  <unfinished ...>\n8 close(1) = 0\n7 <... read resumed>"W", 1024) = 1\n', ["8 close(1) = 0", '7 read(4, "W", 1024) = 1']),
    ("nothing left but the end", '7 fsync(4 <unfinished ...>\n7 <... fsync resumed>) = 0\n', ["7 fsync(4) = 0"]),
    ("nothing before", '7 getpid( <unfinished ...>\n7 <... getpid resumed>) = 12\n', ["7 getpid() = 12"]),
    ("a comma at the seam", '7 accept(6, NULL <unfinished ...>\n7 <... accept resumed>, NULL) = 9\n', ["7 accept(6, NULL, NULL) = 9"]),
    ("an end without a beginning", '7 <... epoll_wait resumed>[], 100, 5) = 0\n', []),
    ("a text with brackets", '7 write(1, "a) = 5", 6) = 6\n', ['7 write(1, "a) = 5", 6) = 6']),
    ("signals and ends", '7 --- SIGCHLD {si_signo=SIGCHLD} ---\n7 +++ exited with 0 +++\n', []),
    ("detached in a call", '7 epoll_wait(8,  <detached ...>\n', []),
]


@pytest.mark.parametrize(("text", "calls"), [pytest.param(text, calls, id=name) for name, text, calls in ROWS])
def test_parse(text: str, calls: list[str]) -> None:
    assert [str(call) for call in parse(text)] == calls


def test_execve() -> None:
    short, long = parse('1 execve("/x/postdrop", ["/x/postdrop", "-r"], 0x55 /* 2 vars */) = 0\n1 execve("/x/a", ["a b", "c\\"d"], ["LANG=C", "X=1, 2"]) = 0\n')
    assert argv(short) == ["/x/postdrop", "-r"] and environment_size(short) == 2
    assert argv(long) == ["a b", 'c"d'] and environment(long) == ["LANG=C", "X=1, 2"]


def test_whose_call_it_is() -> None:
    text = ('10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 11\n11 execve("/l/local", ["local", "-t", "unix"], 0x0 /* 4 vars */) = 0\n'
            '11 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 12\n12 fsync(3) = 0\n11 fork() = 13\n13 close(1) = 0\n')
    trace = Trace(parse(text), {10: "master"})
    assert trace.process(12) == 11 and trace.program(12) == "local"  # a pool thread counts as its process
    assert trace.program(13) == "local"  # and a child that started nothing else as what its parent is
    assert [call.name for call in trace.of("local", "fsync", "close")] == ["fsync", "close"]
    assert not trace.is_main_thread(trace.of("local", "fsync")[0])

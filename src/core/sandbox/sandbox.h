/* core/sandbox/sandbox.h - a process gives up, for good, what it will not need.
 *
 * Three fences, each of which holds where another is missing:
 *   no_new_privs   no program that it may start gets rights by set-id bits
 *   Landlock       of all files it can open those at its places alone; it signals nobody outside (Linux 6.12), and
 *                  without SANDBOX_INTERNET connects by TCP to nobody (Linux 6.7).  What a file's mode forbids stays
 *                  forbidden
 *   seccomp        system calls that it has no use for fail: with EPERM or EACCES when they would reach outside (start a
 *                  program, signal another process or have a descriptor do it, change identity, open a socket of another
 *                  kind, change files where it has no place to write), with ENOSYS when nobody has thought of them, so
 *                  that C libraries to come fall back.  What no program of ours and no library ever asks for (ptrace,
 *                  mounts, kernel modules) ends the process by SIGSYS
 *
 * A declaration is a list of what a process may: nothing declared is nothing allowed, but for what every daemon does with
 * descriptors that are open, memory, threads of its own, clocks, and datagrams to the system's log.
 *
 * Enter when everything else is done: files and sockets outside the places are open, root has been changed, privileges are
 * dropped, and no thread has been started, since each thread has a sandbox of its own and those to come inherit it.  What
 * was forked before is not confined.  There is no way out.  Nothing suspends.  Depends on: core/base. */
#ifndef CORE_SANDBOX_SANDBOX_H
#define CORE_SANDBOX_SANDBOX_H

#include <stddef.h>

#include "core/base/err.h"

enum sandbox_may {
    SANDBOX_NAMES = 1,    /* look up users and hosts: read /etc, libraries and what else the C library's modules read.
                           * Modules that nsswitch.conf names are loaded on entering, wherever they lie */
    SANDBOX_SERVICES = 2, /* connect to UNIX sockets */
    SANDBOX_INTERNET = 4, /* use sockets of IPv4 and IPv6.  Users may be known over the network only: where nsswitch.conf
                           * says so, SANDBOX_NAMES includes it */
    SANDBOX_LISTEN = 8,   /* make sockets on which others connect */
};

enum sandbox_right {
    SANDBOX_READ = 1,
    SANDBOX_UPDATE = 2, /* and write what is there; also FIFOs */
    SANDBOX_WRITE = 4,  /* and make, remove, rename */
};

/* A file, or a folder and all below it.  One that is not there when the sandbox is entered is left out. */
struct sandbox_place {
    const char *path;
    enum sandbox_right right;
};

struct sandbox {
    unsigned may; /* SANDBOX_NAMES ... */
    const struct sandbox_place *places;
    size_t place_count;
};

/* What this kernel lacks, as a sentence for the log; NULL: nothing.  Landlock counts from Linux 5.19 on: before, it
 * forbade each rename into another folder. */
const char *sandbox_missing(void);

/* Goes in, as far as this kernel can.  False: *ERR, and how far is open: the process may go on or end.  Builds for
 * sanitizers and coverage, whose own calls nobody knows, stay outside and return true (sandbox_is_built). */
MUST_CHECK bool sandbox_enter(const struct sandbox *s, struct err *err);
bool sandbox_is_built(void);

#endif

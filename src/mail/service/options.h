/* mail/service/options.h - the command line of a daemon, as master builds it.  Source: fact sheet ipc.md section 2. */
#ifndef MAIL_SERVICE_OPTIONS_H
#define MAIL_SERVICE_OPTIONS_H

#include "mail/params/params.h"

enum { OVERRIDES_MOST = 200 };

struct service_options {
    bool one, unlimited, unprivileged, chroot, standalone, to_stderr;
    const char *name, *type; /* NULL: not given */
    int sockets;             /* -s; 1 */
    const char *max_idle, *max_use; /* NULL: not given */
    struct params_override overrides[OVERRIDES_MOST]; /* into argv */
    size_t override_count;
    char **arguments;
};

/* Texts point into ARGV.  ERR_SYNTAX: "invalid option: Q". */
MUST_CHECK bool service_options_parse(int argc, char **argv, struct service_options *out, struct err *err);

#endif

/* core/conf/master_cf.h - the grammar of master.cf: rows of eight columns and arguments.
 *
 * service type private unprivileged chroot wakeup maxproc command + args; '-' is the default; continuation lines begin with
 * blank; { } keeps blanks in an argument; "-o name=value" and "-o { name = value }" are arguments like others, found by
 * master_row_overrides().  Duplicate service/type: the last row wins.  Source: master(5), fact sheet ipc.md section 1. */
#ifndef CORE_CONF_MASTER_CF_H
#define CORE_CONF_MASTER_CF_H

#include "core/base/buf.h"
#include "core/base/err.h"

enum master_type { MASTER_INET, MASTER_UNIX, MASTER_FIFO, MASTER_PASS, MASTER_DGRAM };
enum master_yesno { MASTER_DEFAULT, MASTER_YES, MASTER_NO };

struct master_row {
    char *service; /* "smtp", "127.0.0.1:2525", "cleanup" */
    enum master_type type;
    enum master_yesno is_private, unprivileged, chroot;
    int wakeup_seconds;   /* 0: never; -1 for '-', never too */
    bool wakeup_if_used;  /* the '?' */
    int process_limit;    /* -1: '-' */
    char *command;        /* program name as written */
    char **argv;          /* the arguments after it; NULL-terminated */
    int argc;
    int line;             /* where the row began */
};

struct master_conf {
    struct master_row *rows;
    size_t count;
    char *path;
    struct buf warnings; /* duplicates and the like, one line each with a '\n', fit to be logged as warnings */
};

/* ERR_SYNTAX: "fatal: FILE: line N: bad transport type: x" and the like (without "fatal: "). */
MUST_CHECK bool master_conf_read(struct master_conf *m, const char *path, struct err *err);
/* The same for TEXT that is already in memory; PATH is for messages.  On failure *M is empty but for the message. */
MUST_CHECK bool master_conf_parse(struct master_conf *m, const char *path, slice text, struct err *err);
void master_conf_done(struct master_conf *m);
const char *master_type_name(enum master_type t); /* "inet", "unix", "fifo", "pass", "unix-dgram" */
/* The row of SERVICE and TYPE, or NULL. */
const struct master_row *master_conf_find(const struct master_conf *m, slice service, enum master_type type);
bool master_type_parse(slice text, enum master_type *out);

/* Finds the next "-o name=value" among R's arguments, also written -oname=value or after other letters (-vo name=value);
 * looking ends at the first argument that is no option.  *AT begins at 0 and belongs to this call; *ARGUMENT is the index
 * in R->argv that holds name=value.  False: no more.  A pair without '=' comes back as its text and an empty value. */
bool master_row_overrides(const struct master_row *r, int *at, slice *name, slice *value, int *argument);

#endif

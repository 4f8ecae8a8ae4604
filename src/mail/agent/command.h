/* mail/agent/command.h - running an external program with a message as its input, bounded in time and output.
 *
 * A job is plain memory, so that it can be handed to another process (agent/spawner.h).  command_run() blocks: it is
 * called in a process of its own that already has the identity the program shall run with, and watches over it there.
 * The program gets a session of its own, descriptors 0 to 2 and no others, the environment given and nothing else,
 * umask 077 and default signals.  Its input is a pipe: what it does not read is not an error.  Output on 1 and 2 is
 * kept up to COMMAND_OUTPUT_MOST bytes, the rest is read and dropped.  It is over when it has ended and nobody holds
 * its output any more; at the time limit its whole session is killed (and its status counts if it had ended before).
 * Used by local(8) and whatever else starts programs.  Depends on: core/base, mail/queue. */
#ifndef MAIL_AGENT_COMMAND_H
#define MAIL_AGENT_COMMAND_H

#include "core/base/arena.h"
#include "mail/envelope/outcome.h"

enum {
    COMMAND_OUTPUT_MOST = 4096,
    COMMAND_TEXTS_MOST = 64 * 1024,
    COMMAND_HEAD_MOST = 24 * 1024,
    COMMAND_DIRECTORY_MOST = 1024
};

/* A list of C strings, each with its NUL, one behind the other. */
struct command_texts {
    uint32_t n, count;
    char bytes[COMMAND_TEXTS_MOST];
};

struct command_job {
    int64_t content_offset; /* where the content records begin in the queue file */
    int64_t time_limit_us;
    int64_t file_limit;                     /* no file it writes may grow beyond that; 0: none */
    char directory[COMMAND_DIRECTORY_MOST]; /* to work in; empty: where we are, which is the queue directory */
    char head[COMMAND_HEAD_MOST];           /* put in front of the content: whole lines */
    char program[COMMAND_DIRECTORY_MOST];   /* path */
    uint32_t arguments;                     /* how many of TEXTS are arguments, the first being what it is called */
    struct command_texts texts;             /* arguments, then the environment ("NAME=value") */
};

enum command_end {
    COMMAND_EXITED,    /* CODE is its status */
    COMMAND_SIGNALLED, /* CODE is the signal */
    COMMAND_TIMED_OUT, /* killed at the limit */
    COMMAND_NOT_BEGUN, /* TROUBLE says why; it may be tried again */
};

struct command_result {
    enum command_end end;
    int code;
    uint32_t output_bytes;
    char output[COMMAND_OUTPUT_MOST];
    char trouble[600]; /* for the log; empty: none */
    bool damaged;      /* the queue file is: agent_mark_corrupt() */
};

/* Adds one text.  False: no room, or a NUL inside. */
MUST_CHECK bool command_add(struct command_texts *t, slice text);
/* Adds the environment that LIST (export_environment) lets through: names of our own environment, or NAME=value; and
 * PATH, which is always the system's.  False: no room. */
MUST_CHECK bool command_export_environment(struct command_texts *t, slice list);
/* COMMAND as one line of text: run directly when it is a path and plain words, else by a shell.  SHELL: words of a
 * shell that has to be used in any case (local_command_shell); empty: none.  Sets ->arguments.  Before any environment
 * is added.  False: too long. */
MUST_CHECK bool command_set_line(struct command_job *job, slice command, slice shell);

/* CONTENT_FD is the queue file, open for reading. */
void command_run(const struct command_job *job, int content_fd, struct command_result *out);

/* What became of the recipient.  COMMAND is shown; texts in ARENA.  Statuses as in sysexits.h; an enhanced status code
 * at the start of the output of a failed program counts more. */
struct outcome command_outcome(const struct command_result *r, slice command, struct arena *arena);

#endif

/* mail/agent/user_file.h - reading a list of destinations that a user wrote: ~/.forward, or an :include: file.
 *
 * A job is plain memory, for agent/spawner.h.  user_file_read() blocks and is called in a process of its own that has
 * the identity the file shall be read with; root's becomes the file's owner before it opens anything.  A file is opened
 * without waiting for anything, and only after it was seen to be a regular one; it must still be that one when it is
 * open. */
#ifndef MAIL_AGENT_USER_FILE_H
#define MAIL_AGENT_USER_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/buf.h"

enum { USER_FILE_PATH_MOST = 1024, USER_FILE_PATHS = 8, USER_FILE_BYTES_MOST = 8 * 1024 * 1024 };

enum user_file_kind {
    USER_FILE_FORWARD, /* no link; owned by OWNER or root; one that is not is as good as absent, with a warning */
    USER_FILE_INCLUDE, /* named by somebody who means it: whatever is wrong with it is an error */
};

struct user_file_job {
    enum user_file_kind kind;
    uid_t owner;
    char home[USER_FILE_PATH_MOST]; /* this folder must be there; empty: need not */
    uint32_t path_count;
    char paths[USER_FILE_PATHS][USER_FILE_PATH_MOST]; /* the first that exists is taken */
};

enum user_file_got {
    USER_FILE_FOUND, /* the content follows */
    USER_FILE_ABSENT,
    USER_FILE_REFUSED, /* it will not do */
    USER_FILE_FAILED,  /* cannot be told now */
    USER_FILE_NO_HOME, /* TROUBLE is the reason */
};

struct user_file_result {
    enum user_file_got got;
    uid_t owner;                             /* of the file that was found */
    uint32_t index;                          /* which of the paths it is */
    uint32_t content_bytes;                  /* at most USER_FILE_BYTES_MOST */
    char trouble[USER_FILE_PATH_MOST + 200]; /* for the log; empty: none */
};

/* Adds the file's text to CONTENT. */
void user_file_read(const struct user_file_job *job, struct user_file_result *out, struct buf *content);

#endif

/* commands/postdrop/check.h - which records a user may put into a queue file, segment by segment. Pure.
 *
 * Source: queue-file.md sections 2 and 6; ipc.md 8.15. */
#ifndef COMMANDS_POSTDROP_CHECK_H
#define COMMANDS_POSTDROP_CHECK_H

#include "core/base/slice.h"

enum submission_segment { SUBMISSION_ENVELOPE, SUBMISSION_CONTENT, SUBMISSION_EXTRACTED, SUBMISSION_OVER };

struct submission_check {
    enum submission_segment in;
    bool has_sender, has_recipient;
};

enum submission_verdict {
    SUBMISSION_KEEP,
    SUBMISSION_DROP,       /* an attribute that users may not set: dropped with a warning */
    SUBMISSION_SKIP,       /* silently left out: the time is ours to say */
    SUBMISSION_BAD_TYPE,   /* a record that may not stand here */
    SUBMISSION_LINE_BREAK, /* a line end or NUL where it would be dangerous */
};
enum submission_verdict submission_check(struct submission_check *c, int type, slice data);

#endif

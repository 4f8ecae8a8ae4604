/* commands/postfix/look.h - looks at the files of an instance, and warns of owners and modes that invite trouble.
 *
 * Only what is asked for is looked at; nothing is changed.  What vanishes meanwhile is no matter. */
#ifndef COMMANDS_POSTFIX_LOOK_H
#define COMMANDS_POSTFIX_LOOK_H

#include "commands/postfix/instance.h"

/* What is expected of a file, or of everything below a folder. */
struct look {
    struct instance *i;
    uid_t owner;
    const char *owner_name;
    bool owners;   /* all belong to OWNER */
    bool modes;    /* group and others may not write */
    bool targets;  /* of what symbolic links lead to; else there shall be none */
    bool links;    /* symbolic links stay in their folder */
    bool peers;    /* sockets and pipes belong to whoever made them */
};

/* DIRECTORY/NAME itself. */
void look_at_one(const struct look *l, const char *directory, const char *name);
/* And all below it. */
void look_below(const struct look *l, const char *directory, const char *name);
/* DIRECTORY/NAME belongs to the group. */
void look_at_group(struct instance *i, const char *directory, const char *name, gid_t group, const char *group_name);
/* Files below NAME, which is relative to the queue directory, are root's and like those of the same path below /. */
void look_at_copies(struct instance *i, const char *name);
/* Files of damaged messages. */
void look_for_damaged(struct instance *i);
/* Another mail system's sendmail beside ours. */
void look_for_other_sendmail(struct instance *i);

#endif

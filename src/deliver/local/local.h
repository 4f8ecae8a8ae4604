/* deliver/local/local.h - one recipient on its way through aliases, lists and .forward files to its ends.
 *
 * A delivery expands its recipient's name.  Each end found (mailbox, file, command) is a part, delivered at once; each
 * address that belongs elsewhere is gathered for a new message (flow.md section 2, "inline or re-queued").  Names
 * within names wait their turn in a list, so no depth of nesting needs a deep stack.  Everything lives in the request's
 * arena. Functions may suspend. */
#ifndef DELIVER_LOCAL_LOCAL_H
#define DELIVER_LOCAL_LOCAL_H

#include "core/base/map.h"
#include "mail/address/client.h"
#include "mail/agent/agent.h"
#include "mail/agent/filter.h"
#include "mail/agent/spawner.h"
#include "mail/params/params.h"
#include "mail/table/table.h"

/* What kind of text a destination stands in; bits, for allow_mail_to_files and its kin. */
enum context {
    CONTEXT_RECIPIENT = 0, /* it is what we were given */
    CONTEXT_ALIAS = 1,
    CONTEXT_FORWARD = 2,
    CONTEXT_INCLUDE = 4,
};

/* Somebody of the password file: whose mailbox, whose files, whose rights. */
struct user {
    const char *name, *home, *shell;
    struct identity id;
};

struct local_world {
    struct params *params;
    const char *service; /* the transport this process serves */
    struct tables *aliases, *mailbox_commands, *mailbox_transports, *fallback_transports;
    struct agent_filter *filter; /* local_delivery_status_filter */
    struct address_client *resolver;
    struct spawner *spawner;
    unsigned locks;
    unsigned commands_from, files_from;            /* allow_mail_to_commands, allow_mail_to_files */
    unsigned extensions_through;                   /* propagate_unmatched_extensions */
    bool mark_files, mark_commands, mark_forwards; /* prepend_delivered_header */
    struct user nobody;                            /* default_privs; without root, ourselves */
    bool rootless;
};
extern struct local_world world;

struct part {
    struct part *next;
    struct recipient recipient; /* as it is shown and reported */
    struct outcome outcome;
    bool passed; /* another agent had it, and has said so */
    bool has_owner; /* of a list: SENDER is told of it */
    slice sender;
};

/* A name of this machine that mail goes to, and how it got there. */
struct name {
    struct name *next;
    slice address;             /* with its domain: what is shown */
    slice local, domain;       /* its parts */
    slice base, extension;     /* LOCAL without and without the former */
    const struct origin *from; /* the text it stood in */
    int depth;                 /* how many names are above it */
    bool plain;                /* "\name": no alias, no .forward */
};

/* A text that names destinations, and on whose behalf: what all that comes out of it has in common. */
struct origin {
    enum context context;
    const struct name *name; /* whose alias or .forward it is (for an :include:, who included it); NULL: the request */
    slice self;              /* a name that in this text means the user, not the alias again */
    int depth;
    const struct user *rights; /* NULL: nobody's in particular */
    slice only;                /* not empty: all users but this one get their mail through a new message */
    bool listed;               /* out of an :include:, however far up: nobody is delivered to directly */
    bool relayed; /* it is luser_relay */
    slice sender;              /* who hears of errors */
    bool has_owner;            /* SENDER is a list's owner, and the list hides who wrote to it */
    slice delivered_to;        /* for the header */
    slice unmatched;           /* extension that no look-up used, with its delimiter */
};

/* The addresses of one new message. */
struct forward {
    struct forward *next;
    slice address;
};
struct forward_group {
    struct forward_group *next;
    slice delivered_to, sender;
    bool has_owner;
    struct forward *forwards, **last;
};

struct delivery {
    struct agent_request *request;
    size_t index;
    struct recipient *to; /* the request's recipient */
    struct part *parts, **last_part;
    struct forward_group *groups, **last_group;
    bool exhausted; /* the arena is: what else the texts say does not count, the message waits as a whole */
    struct name *names, **last_name; /* that have yet to be looked at */
    struct map seen;                 /* ends and names already taken care of */
    struct map delivered;            /* addresses in Delivered-To: headers, in lower case */
};

/* ---- delivery.c ---- */
/* Adds the outcome of one part, shown under ADDRESS. */
void delivery_add(struct delivery *d, const struct origin *o, slice address, struct outcome outcome);
/* The same for a part that agent_pass() handed on. */
void delivery_passed(struct delivery *d, const struct origin *o, slice address, struct outcome outcome);
/* A part that ends without delivery, with a fixed reason. */
void delivery_refuse(struct delivery *d, const struct origin *o, slice address, struct dsn_code dsn, slice reason);
struct outcome local_outcome(struct dsn_code dsn, slice reason);
/* The recipient stands for what O is about to list. */
void delivery_expanded(struct delivery *d, const struct origin *o);
/* True the first time for this KIND and WHAT: an address, or what the system knows by its very letters. */
bool delivery_first(struct delivery *d, const char *kind, slice what);
bool delivery_first_exactly(struct delivery *d, const char *kind, slice what);
/* Is this "what would become of it" alone? */
bool delivery_is_probe(const struct delivery *d);

/* ---- world.c ---- */
/* Reads the parameters, opens the tables, starts the spawner; a service's pre_start(). */
struct service_run;
MUST_CHECK bool world_open(struct service_run *run, struct err *err);

/* ---- items.c ---- */
/* Calls FN for each destination in TEXT, the right side of an alias or the content of a list: an address in external
 * form,
 * "|command", "/file" or ":include:/file", without quotes around the whole.  The number of them. */
typedef void item_fn(void *arg, slice item);
size_t items_each(slice text, struct arena *arena, item_fn *fn, void *arg);

/* ---- expand.c ---- */
/* What becomes of the request's recipient, and of all it stands for. */
void expand_recipient(struct delivery *d);
/* Takes each destination in TEXT; how many there were. */
size_t expand_text(struct delivery *d, const struct origin *o, slice text);
/* An address in internal form: a name here, or for a new message. */
void expand_address(struct delivery *d, const struct origin *o, slice address);

/* ---- alias.c ---- */
/* True: KEY is an alias and its destinations were taken, or it cannot be looked up now. */
bool alias_expand(struct delivery *d, const struct name *n, slice key, slice unmatched);

/* ---- lists.c ---- */
/* The user's .forward.  True: it says where the mail goes, or cannot be read now. */
bool forward_file_expand(struct delivery *d, const struct name *n, const struct user *u);
/* ":include:PATH" */
void include_expand(struct delivery *d, const struct origin *o, slice path);

/* ---- user.c ---- */
enum user_got { USER_FOUND, USER_UNKNOWN, USER_FAILED };
/* Looks a user up by name, or by id; *OUT in ARENA. */
enum user_got user_find(struct arena *arena, slice name, const struct user **out);
enum user_got user_find_id(struct arena *arena, uid_t uid, const struct user **out);
/* Delivers to user N, who may not exist. */
void user_deliver(struct delivery *d, const struct name *n);

/* ---- mailbox.c ---- */
/* Into the user's own mailbox. */
void mailbox_put(struct delivery *d, const struct name *n, const struct user *u);
/* Into the file or Maildir PATH that O names. */
void file_put(struct delivery *d, const struct origin *o, slice path);

/* ---- run.c ---- */
/* Runs COMMAND for N with the rights of U (NULL or root: default_privs). */
void command_deliver(struct delivery *d, const struct origin *o, const struct name *n, const struct user *u,
                     slice command);

/* ---- macros.c ---- */
/* Expands $user, $home ... of TEXT for N and U (may be NULL).  Characters of the values that are not in FILTER become
 * '_'; an empty FILTER lets all pass.  False: TEXT cannot be expanded (said in the log). */
MUST_CHECK bool macros_expand(const struct name *n, const struct user *u, const char *parameter, const char *text,
                              const char *filter, struct buf *out);
/* TEXT with the characters that are not in FILTER replaced, added to OUT. */
void macros_filter(slice text, const char *filter, struct buf *out);

/* ---- forward.c ---- */
/* Notes ADDRESS for the new message that goes out on O's behalf. */
void forward_add(struct delivery *d, const struct origin *o, slice address);
/* Posts the new message to all addresses of G; *ID is its queue id. */
MUST_CHECK bool forward_post(struct delivery *d, const struct forward_group *g, slice *id, struct err *err);
/* Reads the Delivered-To: headers. */
void forward_read_marks(struct delivery *d);

#endif

/* mail/table/table.h - lookup tables: "hash:/etc/aliases", "inline:{...}", "static:x", "proxy:unix:passwd.byname" ...
 *
 * A type is one file with one struct table_type, listed in types.c.  Opening happens before chroot and loss of privileges.
 * Tables that are in memory or mapped answer at once; `proxy:` and NSS tables suspend, hence the deadline.  An answer lives
 * in the caller's buffer.  Source: DATABASE_README's facts, postmap(1), regexp_table(5), pcre_table(5), cidr_table(5). */
#ifndef MAIL_TABLE_TABLE_H
#define MAIL_TABLE_TABLE_H

#include <sys/types.h>

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/run/deadline.h"

struct table;

enum table_flags {
    TABLE_FOLD = 1,       /* fold the key to lower case first, where the type's keys are fixed strings */
    TABLE_NO_REGSUB = 2,  /* refuse $1 substitution in results (security-sensitive tables) */
    TABLE_NO_PROXY = 4,   /* "proxy:x" opens x itself */
    TABLE_TRY_NUL = 8,    /* aliases: keys and values may end in NUL (harmless: all readers try both) */
    TABLE_NO_LOOP = 16,   /* the caller has no event loop (commands): what would suspend blocks; needs TABLE_NO_PROXY */
};

enum table_got { TABLE_FOUND, TABLE_NOT_FOUND, TABLE_FAILED };

/* NAME as in main.cf, one table; without a type it is a bug of the configuration and NULL: *ERR says so.
 * A table that cannot be opened (missing file, unknown type, bad inline text) opens all the same, as in Postfix; each look-up
 * then is TABLE_FAILED ("hash:/x is unavailable. open database /x.db: No such file or directory"). */
struct table *table_open(slice name, unsigned flags, struct err *err);
void table_close(struct table *t);
/* Why it is unavailable ("open database /x.db: No such file or directory"), or NULL when it is usable.  Daemons log it as an
 * error at start, commands end with it. */
const struct err *table_problem(const struct table *t);
/* What was wrong in its text, a line each without "warning: " ("regexp map /x, line 3: ..."); empty when nothing was. */
slice table_warnings(const struct table *t);
const char *table_name(const struct table *t); /* "hash:/etc/aliases" */

/* TABLE_FOUND: *VALUE is filled (cleared first).  TABLE_FAILED: temporary, *ERR set. */
MUST_CHECK enum table_got table_get(struct table *t, slice key, deadline by, struct buf *value, struct err *err);
/* The file behind it was replaced or changed since open: readers restart. */
bool table_changed(const struct table *t);
/* Do keys match by pattern (regexp, pcre, cidr), so that partial keys must not be tried? */
bool table_is_pattern(const struct table *t);
uid_t table_owner(const struct table *t); /* see tables_owner() */

/* ---- lists of tables: "hash:/a, hash:/b" ---- */
struct tables;
/* An empty list is legal and never finds.  *WARNING (may be NULL) gets lines for the log, each ended by a newline: members
 * that are unavailable ("error: open database ..."), members skipped (nis:), table_warnings() of the rest. */
struct tables *tables_open(slice list, unsigned flags, struct buf *warning, struct err *err);
void tables_close(struct tables *t);
bool tables_empty(const struct tables *t);
/* First table that finds KEY; a failing one, or an empty value, ends the search with TABLE_FAILED: tables_failed() is its
 * name. */
const char *tables_failed(const struct tables *t);
MUST_CHECK enum table_got tables_get(struct tables *t, slice key, deadline by, struct buf *value, struct err *err);
/* The mail-address search order: user+ext@domain, user@domain, user+ext, user, @domain (WHAT selects which).
 * See address lookup in virtual(5), canonical(5), transport(5).  With an extension matched away, it is NOT re-added. */
enum { ADDRESS_FULL = 1, ADDRESS_USER = 2 /* bare local part when the domain is ours */, ADDRESS_DOMAIN = 4 };
struct address_lookup {
    slice delimiters;         /* recipient_delimiter */
    bool (*is_local_domain)(void *context, slice domain); /* for ADDRESS_USER: $myorigin, mydestination, inet_interfaces */
    void *context;
    bool propagate_extension; /* append the unmatched extension to results that have none */
};
MUST_CHECK enum table_got tables_get_address(struct tables *t, slice address, unsigned what,
                                             const struct address_lookup *how, deadline by, struct buf *value, struct err *err);
/* tables_get over those members alone whose keys are fixed strings: for a part of a key ("@example.com"). */
MUST_CHECK enum table_got tables_get_part(struct tables *t, slice key, deadline by, struct buf *value, struct err *err);
bool tables_changed(const struct tables *t, struct buf *name);
/* Who owns the file, as it was opened, of the table that answered last: with whose rights may be done what it says.  Root for
 * what stands in main.cf itself; TABLE_NOBODY: not known. */
#define TABLE_NOBODY ((uid_t)-1)
uid_t tables_owner(const struct tables *t);

/* ---- match lists: mydestination, mynetworks, relay_domains: names, !names, /files, type:tables, networks ---- */
struct match_list;
enum match_kind { MATCH_DOMAIN /* exact, .sub or parent when PARENT */, MATCH_HOST /* names and addresses */, MATCH_STRING };
struct match_list *match_list_open(slice list, enum match_kind kind, bool parent_matches_subdomains, struct err *err);
void match_list_close(struct match_list *m);
/* TABLE_FOUND: matched. NAME: domain or host name; ADDRESS: text, for MATCH_HOST (may be empty).  TABLE_FAILED: a member
 * that would decide cannot be asked; *ERR set. */
MUST_CHECK enum table_got match_list_has(struct match_list *m, slice name, slice address, deadline by, struct err *err);

bool match_list_changed(const struct match_list *m, struct buf *name);

/* ---- the text behind postmap(1) and texthash: ---- */
enum table_line { TABLE_LINE_OK, TABLE_LINE_NO_VALUE, TABLE_LINE_UNBALANCED };
/* "key  value" of one logical line; a key in double quotes may hold blanks and keeps its quotes.  Pure. */
enum table_line table_line_parse(slice line, slice *key, slice *value);
/* Folds ASCII letters of S to lower case into OUT (cleared first). */
bool table_fold(slice s, struct buf *out);

/* ---- writing (postmap, postalias, proxymap): hash, btree, lmdb ----
 * A truncated table is built beside the old one and takes its name (under its lock) at close, so readers see the old or the
 * new one, never a part, and wait for neither.  Otherwise, and where the directory cannot be written, the file is changed in
 * place, under its exclusive lock until it is closed (TABLE_WRITE_SHARED: during each call).  Everything blocks. */
enum table_write_flags {
    TABLE_WRITE_TRUNCATE = 1,
    TABLE_WRITE_KEY_NUL = 2,    /* put the terminating NUL into keys and values, as Postfix does here */
    TABLE_WRITE_NO_NUL = 4,     /* never; without both, with */
    TABLE_WRITE_SHARED = 8,     /* lock and sync around each call; for a service that keeps the table open */
    TABLE_WRITE_EXISTING = 16,  /* the file must exist */
};
struct table_write_options {
    unsigned flags;
    unsigned mode; /* of a new file; 0: 0644 */
};
struct table_writer;
struct table_writer *table_writer_open_as(slice type_and_file, const struct table_write_options *o, struct err *err);
struct table_writer *table_writer_open(slice type_and_file, bool truncate, struct err *err);
/* "m.db" for hash and btree, "lmdb:m" for lmdb: what messages call it. */
const char *table_writer_name(const struct table_writer *w);
/* Is TYPE one that can be written? */
bool table_can_write(slice type);
enum table_put { TABLE_PUT_OK, TABLE_PUT_DUPLICATE, TABLE_PUT_FAILED };
MUST_CHECK enum table_put table_writer_put(struct table_writer *w, slice key, slice value, bool replace, struct err *err);
MUST_CHECK bool table_writer_delete(struct table_writer *w, slice key, bool *existed, struct err *err);
/* The value of KEY, and the first or next pair in file order: TABLE_NOT_FOUND at the end. */
MUST_CHECK enum table_got table_writer_get(struct table_writer *w, slice key, struct buf *value, struct err *err);
MUST_CHECK enum table_got table_writer_next(struct table_writer *w, bool first, struct buf *key, struct buf *value,
                                            struct err *err);
/* Frees W in any case. */
MUST_CHECK bool table_writer_close(struct table_writer *w, struct err *err);
/* Frees W; a table under construction is thrown away. */
void table_writer_abandon(struct table_writer *w);
/* All pairs in file order; also of texthash and inline.  FN returning false ends it early, with true. */
typedef bool table_pair_fn(void *context, slice key, slice value);
MUST_CHECK bool table_each(slice type_and_file, table_pair_fn *fn, void *context, struct err *err);

/* ---- a type, for its own file and types.c ---- */
struct table_type {
    const char *name;
    bool is_pattern;
    /* ARGUMENT: what follows "type:".  What is wrong but survivable goes to WARNINGS, a line each. */
    void *(*open)(slice argument, unsigned flags, struct buf *warnings, struct err *err);
    void (*close)(void *self);
    enum table_got (*get)(void *self, slice key, deadline by, struct buf *value, struct err *err);
    bool (*changed)(const void *self); /* optional */
    bool (*each)(void *self, table_pair_fn *fn, void *context, struct err *err); /* optional */
    bool (*is_pattern_self)(const void *self); /* optional: depends on what is inside (proxy:) */
    bool keeps_case; /* keys are never folded here (pattern types imply it) */
    const char *file_suffix; /* what its file's name ends in behind the argument; NULL: it has none of its own */
};
extern const struct table_type *const table_types[]; /* NULL-terminated */

#endif

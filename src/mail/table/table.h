/* mail/table/table.h - lookup tables: "hash:/etc/aliases", "inline:{...}", "static:x", "proxy:unix:passwd.byname" ...
 *
 * A type is one file with one struct table_type, listed in types.c.  Opening happens before chroot and loss of privileges.
 * Tables that are in memory or mapped answer at once; `proxy:` and NSS tables suspend, hence the deadline.  An answer lives
 * in the caller's buffer.  Source: DATABASE_README's facts, postmap(1), regexp_table(5), pcre_table(5), cidr_table(5). */
#ifndef MAIL_TABLE_TABLE_H
#define MAIL_TABLE_TABLE_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/run/deadline.h"

struct table;

enum table_flags {
    TABLE_FOLD = 1,       /* fold the key to lower case first, where the type's keys are fixed strings */
    TABLE_NO_REGSUB = 2,  /* refuse $1 substitution in results (security-sensitive tables) */
    TABLE_NO_PROXY = 4,
    TABLE_TRY_NUL = 8,    /* aliases: keys and values may end in NUL */
};

enum table_got { TABLE_FOUND, TABLE_NOT_FOUND, TABLE_FAILED };

/* NAME as in main.cf, one table.  NULL: *ERR names it ("open database /etc/aliases.db: No such file or directory").
 * A table whose file is missing opens all the same where Postfix does so; each look-up then is TABLE_FAILED. */
struct table *table_open(slice name, unsigned flags, struct err *err);
void table_close(struct table *t);
const char *table_name(const struct table *t); /* "hash:/etc/aliases" */

/* TABLE_FOUND: *VALUE is filled (cleared first).  TABLE_FAILED: temporary, *ERR set. */
MUST_CHECK enum table_got table_get(struct table *t, slice key, deadline by, struct buf *value, struct err *err);
/* The file behind it was replaced or changed since open: readers restart. */
bool table_changed(const struct table *t);
/* Do keys match by pattern (regexp, pcre, cidr), so that partial keys must not be tried? */
bool table_is_pattern(const struct table *t);

/* ---- lists of tables: "hash:/a, hash:/b" ---- */
struct tables;
/* An empty list is legal and never finds.  A `nis:` member is skipped with a warning text in *WARNING (or NULL). */
struct tables *tables_open(slice list, unsigned flags, struct buf *warning, struct err *err);
void tables_close(struct tables *t);
bool tables_empty(const struct tables *t);
/* First table that finds KEY; a failing one ends the search with TABLE_FAILED. */
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
bool tables_changed(const struct tables *t, struct buf *name);

/* ---- match lists: mydestination, mynetworks, relay_domains: names, !names, /files, type:tables, networks ---- */
struct match_list;
enum match_kind { MATCH_DOMAIN /* exact, .sub or parent when PARENT */, MATCH_HOST /* names and addresses */, MATCH_STRING };
struct match_list *match_list_open(slice list, enum match_kind kind, bool parent_matches_subdomains, struct err *err);
void match_list_close(struct match_list *m);
/* TABLE_FOUND: matched. NAME: domain or host name; ADDRESS: text, for MATCH_HOST (may be empty). */
MUST_CHECK enum table_got match_list_has(struct match_list *m, slice name, slice address, deadline by, struct err *err);

/* ---- writing (postmap, postalias): hash, btree, lmdb ---- */
struct table_writer;
struct table_writer *table_writer_open(slice type_and_file, bool truncate, struct err *err);
enum table_put { TABLE_PUT_OK, TABLE_PUT_DUPLICATE, TABLE_PUT_FAILED };
MUST_CHECK enum table_put table_writer_put(struct table_writer *w, slice key, slice value, bool replace, struct err *err);
MUST_CHECK bool table_writer_delete(struct table_writer *w, slice key, bool *existed, struct err *err);
MUST_CHECK bool table_writer_close(struct table_writer *w, struct err *err);
/* All pairs in file order. */
typedef bool table_pair_fn(void *context, slice key, slice value);
MUST_CHECK bool table_each(slice type_and_file, table_pair_fn *fn, void *context, struct err *err);

/* ---- a type, for its own file and types.c ---- */
struct table_type {
    const char *name;
    bool is_pattern;
    void *(*open)(slice argument, unsigned flags, struct err *err); /* ARGUMENT: what follows "type:" */
    void (*close)(void *self);
    enum table_got (*get)(void *self, slice key, deadline by, struct buf *value, struct err *err);
    bool (*changed)(const void *self); /* optional */
};
extern const struct table_type *const table_types[]; /* NULL-terminated */

#endif

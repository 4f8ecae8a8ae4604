/* mail/table/inner.h - what the files of mail/table share.  For mail/table alone. */
#ifndef MAIL_TABLE_INNER_H
#define MAIL_TABLE_INNER_H

#include <sys/stat.h>

#include "mail/table/table.h"

enum { TABLE_TEXT_MAX = 64 << 20, TABLE_WARNINGS_MAX = 1 << 16 };

/* ---- the text of a table: a file, or "{ {rule} {rule} }" as lines ---- */
struct source {
    struct buf text;
    slice rest;
    int line;
};
/* WHAT is the type's word in errors: "regexp map"; a file that cannot be read is "open FILE: ...". */
MUST_CHECK bool source_open(struct source *s, const char *what, slice argument, struct err *err);
/* A file only; its error is "OPEN_WORDS FILE: ...". */
MUST_CHECK bool source_open_file(struct source *s, const char *open_words, slice path, struct err *err);
/* The next logical line, trimmed at its end; *LINE is its number. */
bool source_next(struct source *s, struct buf *line, int *number);
void source_done(struct source *s);

/* Takes "{...}" with balanced braces and what is blank around it; *INSIDE is trimmed. */
bool cut_braces(slice *s, slice *inside);

/* ---- locks on a table's file ---- */
/* Takes a shared or exclusive flock; suspends (or, WITHOUT_LOOP, blocks) while another has it. */
MUST_CHECK bool table_lock(int fd, int operation, bool without_loop, deadline by, struct err *err);
/* What tells whether a file was changed or replaced since. */
struct file_mark {
    struct timespec mtime;
    int64_t bytes;
};
bool file_mark_take(int fd, struct file_mark *m);
bool file_mark_differs(int fd, const struct file_mark *m);
bool file_replaced(int fd); /* its name is gone or names another file */

/* ---- types that can be written ---- */
struct writer_type {
    const char *name;
    const char *suffix; /* ".db" */
    bool named_by_file; /* messages say "m.db", else "lmdb:m" */
    /* PATH has the suffix.  CREATE: empty, and new with MODE when there is none; else opens what is there.  Takes the lock. */
    void *(*open)(const char *path, bool create, unsigned mode, struct err *err);
    int (*fd)(void *self);
    bool (*lock)(int fd, struct err *err); /* exclusive, blocks */
    void (*unlock)(int fd);
    enum table_put (*put)(void *self, slice key, slice value, bool replace, struct err *err);
    enum table_got (*get)(void *self, slice key, struct buf *value, struct err *err);
    bool (*remove)(void *self, slice key, bool *existed, struct err *err);
    enum table_got (*next)(void *self, bool first, struct buf *key, struct buf *value, struct err *err);
    bool (*sync)(void *self, struct err *err);
    bool (*close)(void *self, bool keep, struct err *err);
};
extern const struct writer_type hash_writer, btree_writer, lmdb_writer;

extern const struct table_type table_texthash, table_hash, table_btree, table_lmdb, table_static, table_inline,
    table_regexp, table_pcre, table_cidr, table_unix, table_proxy, table_fail, table_pipemap, table_unionmap, table_randmap;

/* A key with its NUL, for the files that have one: P[n] must be 0. */
slice key_with_nul(struct buf *scratch, slice key);
/* VALUE as stored, without a NUL at its end. */
static inline slice without_nul(slice v)
{
    return v.n > 0 && v.p[v.n - 1] == '\0' ? (slice){v.p, v.n - 1} : v;
}
/* Puts S in place of *VALUE's content; TABLE_FOUND, or TABLE_FAILED when it is too long. */
enum table_got value_set(struct buf *value, slice s, struct err *err);
/* Adds one line to WARNINGS. */
void warn(struct buf *warnings, const char *format, ...) PRINTF_LIKE(2, 3);
/* Copies PATH; false with ERR when it has a NUL inside or is too long. */
enum { TABLE_PATH = 1024 };
MUST_CHECK bool table_path(slice path, const char *suffix, char to[TABLE_PATH], struct err *err);

#endif

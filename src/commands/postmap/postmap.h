/* commands/postmap/postmap.h - what the parts of postmap(1) and postalias(1) share. */
#ifndef COMMANDS_POSTMAP_POSTMAP_H
#define COMMANDS_POSTMAP_POSTMAP_H

#include "core/base/buf.h"
#include "mail/params/params.h"

enum { ENTRY_MOST = 16 << 20 };

/* What makes the one program differ from the other. */
struct postmap_dialect {
    const char *name, *separator;
    const char *letters, *shown; /* options: for getopt(), and in the usage */
    bool marks;
    /* NULL, or what is wrong with LINE. */
    const char *(*parse)(slice line, struct buf *key, struct buf *value);
};

struct postmap_options {
    const struct postmap_dialect *dialect;
    bool incremental, replace, no_warning, list;
    unsigned nul; /* TABLE_WRITE_KEY_NUL, TABLE_WRITE_NO_NUL */
    bool no_fold, keep_root, standard_mode;
    bool files; /* -F: values are the content of files */
    bool ask_headers, ask_body, ask_parts; /* -h, -b, -m: standard input is a message */
    const char *query, *remove, *config;
};

/* "file" alone is of default_database_type. */
void postmap_full_name(const struct params *p, const char *argument, struct buf *out);

/* -q over TABLES, a NULL-terminated list; true: something was found.  Ends the process when a table cannot be asked. */
bool postmap_query(const struct params *p, const struct postmap_options *o, char **tables);
/* -s: all that is in the table ARGUMENT. */
void postmap_list(const struct params *p, const struct postmap_options *o, const char *argument);

#endif

/* mail/params/params.h - every main.cf parameter this system uses, as typed fields.
 *
 * Declared once in the area files *.toml here; tools/gen_params.py makes from them generated/params_fields.h (the struct's
 * members), the table behind postconf, and the man pages' sections.  A stanza:
 *
 *     [queue_run_delay]
 *     type = "time"            # text bool int size(long) time enum(values=[...])
 *     default = "300s"         # as postconf -d shows it; may use $name
 *     min = "1s"               # optional range, checked at load
 *     commands = true          # set for commands too though the default is no constant: params_load_for_command()
 *     summary = "..."          # one line, ours
 *     doc = "..."              # optional paragraph
 *
 * gives `int64_t queue_run_delay_us`; text gives `const char *NAME` (expanded, never NULL), bool `bool NAME`, int `int
 * NAME`, size `int64_t NAME`.  Per-transport parameters (<transport>_destination_recipient_limit ...) are read through
 * params_transport_*().  Parameters that Postfix has and we do not use yet are "known only": listed with default so that
 * postconf and $name expansion know them.  status = "harmless": nobody misses what they do (tuning, paths for people);
 * "by name": used, but through params_get() and its like.
 *
 * A params object owns all its texts and never changes after load; a reload makes a new one.  Nothing suspends. */
#ifndef MAIL_PARAMS_PARAMS_H
#define MAIL_PARAMS_PARAMS_H

#include "core/base/err.h"
#include "core/conf/main_cf.h"

struct params {
#include "params_fields.h" /* generated */
    struct conf conf;      /* what main.cf and -o said */
    struct map *texts;     /* expanded values by name; private */
};

/* One "-o name=value". */
struct params_override {
    slice name, value;
};

/* Reads CONFIG_DIRECTORY/main.cf, applies OVERRIDES in order, expands and checks everything.  NULL: *ERR says which
 * parameter of which file is wrong: ERR_CONFIG, ERR_SYNTAX, ERR_SYS.  PROGRAM is who asks ("smtpd"; NULL: all of them): a
 * wrong value of a parameter that only others use is theirs to complain of, and has its default here. */
struct params *params_load(const char *config_directory, const char *program, const struct params_override *overrides,
                           size_t count, struct err *err);
/* The same without overrides, for a program that lives for a moment: of wrong values those count that all programs use.  A
 * field whose default is made of others is set only when main.cf gives the parameter, or when its stanza says commands =
 * true; else it is 0 or NULL. */
struct params *params_load_for_command(const char *config_directory, struct err *err);
void params_free(struct params *p);

/* Expanded value of any parameter, known or user-defined, by name; NULL when nobody defines it.  Lives as long as P. */
const char *params_get(struct params *p, slice name);
/* Expands TEXT in P's world (restriction lists, table names with $config_directory). */
MUST_CHECK bool params_expand(const struct params *p, slice text, struct buf *out, struct err *err);

/* TRANSPORT_SUFFIX if set, else the value of default parameter DEFAULT_NAME: e.g. ("smtp", "_destination_concurrency_limit",
 * "default_destination_concurrency_limit"). */
MUST_CHECK bool params_transport_int(struct params *p, slice transport, const char *suffix, const char *default_name,
                                     int *out, struct err *err);
MUST_CHECK bool params_transport_time(struct params *p, slice transport, const char *suffix, const char *default_name,
                                      int64_t *out_us, struct err *err);
const char *params_transport_text(struct params *p, slice transport, const char *suffix, const char *default_name);

/* The directory to use: -c argument, else MAIL_CONFIG, else the compiled-in default.  For set-gid commands IS_SETGID makes
 * anything but the default an error unless listed in the default main.cf's alternate_config_directories, and that file is root's and
 * nobody else may write it. */
MUST_CHECK bool params_config_directory(const char *from_option, bool is_setgid, struct buf *out, struct err *err);

/* The default main.cf is as that asks for, and lists DIRECTORY there. */
bool params_directory_is_listed(slice directory);

/* compatibility_level as comparable number: "3.6" is 3 006 000. */
bool compat_level_parse(slice text, int64_t *out);

/* ---- the table behind postconf: all parameters, by number, in the order of their names ---- */
extern const size_t param_row_count;
const char *param_name(size_t index);
const char *param_default_text(size_t index);
/* No parameter, or one that has an effect: false. */
bool param_is_ineffective(slice name);
/* The number of NAME, or SLICE_NONE. */
size_t param_find(slice name);

/* Like params_load(), but nothing is checked and no field is set: for params_get(), params_expand(), params_default().
 * With READ_MAIN_CF false there are only the defaults and OVERRIDES. */
struct params *params_read(const char *config_directory, bool read_main_cf, const struct params_override *overrides,
                           size_t count, struct err *err);
/* The unexpanded default of NAME, also for per-transport names; NULL: unknown.  Lives as long as P. */
const char *params_default(struct params *p, slice name);
/* True when $name in the value of NAME is not for the configuration but for whoever uses the value (mailbox_command). */
bool param_is_raw(slice name);
/* "_destination_concurrency_limit" and what else every transport of master.cf has; NULL past the last. */
const char *param_transport_suffix(size_t index);

#endif

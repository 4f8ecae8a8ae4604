/* mail/params/param_def.h - the generated table behind params_load(); private to this folder.
 *
 * param_defs[i] belongs to param_rows[i]; both are sorted by name and made from the same stanzas. */
#ifndef MAIL_PARAMS_PARAM_DEF_H
#define MAIL_PARAMS_PARAM_DEF_H

#include <stddef.h>

#include "mail/params/params.h"

enum param_type { PARAM_TEXT, PARAM_BOOL, PARAM_INT, PARAM_SIZE, PARAM_TIME, PARAM_ENUM };

struct param_def {
    size_t offset; /* of the field in struct params */
    enum param_type type;
    char unit;     /* of a time without one */
    bool fixed;    /* the default is a constant: nothing to expand or compute */
    bool raw;      /* $name is for whoever uses the value: never expanded at load */
    bool nonempty; /* text that may not be empty */
    const char *const *values; /* of an enum; NULL-terminated */
    int64_t number;            /* a fixed default that is no text */
    int64_t min, max;
};
extern const struct param_def param_defs[];

/* Index of NAME in both tables, or SLICE_NONE. */
size_t param_find(slice name);

/* Key in params.texts of what went wrong while a default was computed: the text of an ERR_CONFIG. */
#define PARAMS_PROBLEM "!"

/* The computed defaults.  NAME is the parameter's; the text is P's.  NULL: it has none. */
const char *param_computed(struct params *p, slice name);

/* Keeps TEXT for P's lifetime under NAME and returns the copy. */
const char *params_keep(struct params *p, slice name, slice text);
/* The expanded value by name. */
MUST_CHECK bool params_text(struct params *p, slice name, const char **out, struct err *err);

#endif

/* mail/params/param_def.h - the generated table behind params_load(); private to this folder.
 *
 * param_defs[i] belongs to param_rows[i]; both are sorted by name and made from the same stanzas.  Texts are places in
 * param_texts: a table of pointers would have to be put right, page by page, whenever a program starts. */
#ifndef MAIL_PARAMS_PARAM_DEF_H
#define MAIL_PARAMS_PARAM_DEF_H

#include <stddef.h>
#include <stdint.h>

#include "mail/params/params.h"

enum param_type { PARAM_TEXT, PARAM_BOOL, PARAM_INT, PARAM_SIZE, PARAM_TIME, PARAM_ENUM };

extern const char param_texts[];

struct param_row {
    uint32_t name, default_text;
    bool known_only;  /* no field of struct params is used */
    bool ineffective; /* and whoever sets it would miss what it does */
};
extern const struct param_row param_rows[];

struct param_def {
    uint32_t area; /* the file of its stanza: "smtpd" */
    size_t offset; /* of the field in struct params */
    enum param_type type;
    char unit;     /* of a time without one */
    bool raw;      /* $name is for whoever uses the value: never expanded at load */
    bool nonempty; /* text that may not be empty */
    uint32_t values; /* of an enum: several texts and an empty one; 0: none */
    int64_t min, max;
};
extern const struct param_def param_defs[];

/* The fields whose defaults are constants. */
extern const struct params params_at_start;
/* Numbers of those whose defaults must be expanded or computed; what commands need comes first. */
extern const uint16_t param_unfixed[];
extern const size_t param_unfixed_count, param_unfixed_for_commands;

/* Key in params.texts of what went wrong while a default was computed: the text of an ERR_CONFIG. */
#define PARAMS_PROBLEM "!"

/* The computed defaults.  NAME is the parameter's; the text is P's.  NULL: it has none. */
const char *param_computed(struct params *p, slice name);

/* Keeps TEXT for P's lifetime under NAME and returns the copy. */
const char *params_keep(struct params *p, slice name, slice text);
/* The expanded value by name. */
MUST_CHECK bool params_text(struct params *p, slice name, const char **out, struct err *err);

#endif

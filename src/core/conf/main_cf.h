/* core/conf/main_cf.h - the grammar of main.cf and the expansion of $name; no parameter is known here.
 *
 * Grammar: "name = value" lines; lines that start with blank continue the one before; '#' lines and empty lines are
 * skipped (also between continuations); blanks around '=' and at the value's ends go.  Later settings win.
 * Expansion: $name $(name) ${name}; ${name?text} ${name:text} ${name?{text}:{text}} ${{a} == {b}?{x}:{y}} with == != < <= > >=
 * (numbers compare as numbers), and <level / >=level for compatibility levels ("3.6"); $$ is a dollar.  Nesting is
 * bounded at 100; beyond it, or on bad syntax, the value is an error that names the parameter.
 * A table of raw values owns its memory.  Nothing suspends.  Source: postconf(5). */
#ifndef CORE_CONF_MAIN_CF_H
#define CORE_CONF_MAIN_CF_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/map.h"

struct conf {
    struct map raw;      /* name -> char * (unexpanded) */
    char *path;          /* file it was read from, or NULL */
    struct buf warnings; /* what conf_read() skipped or overrode, one line each with a '\n', fit to be logged */
};

void conf_init(struct conf *c);
void conf_done(struct conf *c);
/* Reads PATH on top of what is there.  ERR_SYS, or ERR_SYNTAX ("FILE, line N: missing '=' after attribute name: "x"").
 * A first line that begins with a blank continues nothing: it is skipped, and noted in c->warnings; so is a name that already
 * had another value. */
MUST_CHECK bool conf_read(struct conf *c, const char *path, struct err *err);
/* The same for TEXT that is already in memory; PATH is for messages.  Pure but for the table. */
MUST_CHECK bool conf_read_text(struct conf *c, const char *path, slice text, struct err *err);

/* Takes one logical line apart.  False: ERR_SYNTAX with the text after "FILE, line N: ".  Pure. */
MUST_CHECK bool conf_split_line(slice line, slice *name, slice *value, struct err *err);
/* Sets one value, as -o name=value does. */
void conf_set(struct conf *c, slice name, slice value);
/* The unexpanded value, or NULL. */
const char *conf_raw(const struct conf *c, slice name);

/* Called for a name that the table does not have: its default (unexpanded) or NULL when unknown.  CONTEXT is yours.  The
 * text must stay valid until the expansion is over. */
typedef const char *conf_default_fn(void *context, slice name);
/* Adds the expansion of TEXT to OUT.  Unknown names expand to nothing.  NAME is for the error text: ERR_SYNTAX "macro
 * processing error: parameter NAME: ...", ERR_LIMIT when OUT's maximum or the bound on work is passed. */
MUST_CHECK bool conf_expand(const struct conf *c, conf_default_fn *fallback, void *context, const char *name, slice text,
                            struct buf *out, struct err *err);

/* Calls SEEN for every name that TEXT refers to, in all branches, without looking anything up.  ERR_SYNTAX as by
 * conf_expand(). */
typedef void conf_name_fn(void *context, slice name);
MUST_CHECK bool conf_scan_names(const char *name, slice text, conf_name_fn *seen, void *context, struct err *err);

/* One logical line of a main.cf-like file at a time (also master.cf and text tables).  *REST shrinks; *LINE_NUMBER counts
 * lines consumed; *FIRST_LINE is where the logical line began.  The text, continuation line ends replaced by nothing but
 * kept blanks, goes to OUT (cleared first).  False: no more lines. */
bool conf_next_line(slice *rest, int *line_number, int *first_line, struct buf *out);

/* Splits the next element off a list: separated by commas or white space, with { } groups kept whole (braces stripped when
 * *BRACED is set).  ERR_SYNTAX for unbalanced braces. */
enum conf_got { CONF_END, CONF_ITEM, CONF_FAILED };
MUST_CHECK enum conf_got conf_next_item(slice *list, const char *separators, slice *item, bool *braced, struct err *err);

/* "3", "3.6" or "3.6.1" as a comparable number: 3 006 001.  False: anything else. */
bool conf_parse_level(slice text, int64_t *out);

/* Typed readings of an expanded value.  All but the unit's letter must be digits. */
bool conf_parse_bool(slice text, bool *out);                          /* yes, no, any case */
bool conf_parse_int(slice text, int64_t *out);
/* "10", "1h", with DEFAULT_UNIT one of s m h d w when the text has none; result in microseconds.  Above INT32_MAX seconds
 * it is refused, as in the field. */
bool conf_parse_time(slice text, char default_unit, int64_t *out_us);

#endif

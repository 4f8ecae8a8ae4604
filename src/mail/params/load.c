#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/base/file.h"
#include "mail/params/own_address.h"
#include "mail/params/param_def.h"

enum { PATH_MAX_BYTES = 4096, ORIGIN_FILE_MOST = 64 * 1024 };

static bool set_number(void *field, enum param_type type, int64_t number)
{
    switch (type) {
    case PARAM_BOOL:
        *(bool *)field = number != 0;
        return true;
    case PARAM_INT:
        *(int *)field = (int)number;
        return true;
    case PARAM_SIZE:
    case PARAM_TIME:
        *(int64_t *)field = number;
        return true;
    case PARAM_TEXT:
    case PARAM_ENUM:
        break;
    }
    return false;
}

static bool parse_number(const struct param_def *d, const char *name, const char *text, int64_t *out, struct err *err)
{
    bool yes;

    switch (d->type) {
    case PARAM_BOOL:
        if (!conf_parse_bool(slice_text(text), &yes))
            return err_set(err, ERR_CONFIG, "bad boolean configuration: %s = %s", name, text);
        *out = yes;
        return true;
    case PARAM_TIME:
        if (!conf_parse_time(slice_text(text), d->unit, out))
            return err_set(err, ERR_CONFIG, "parameter %s: bad time value or unit: %s", name, text);
        if (*out < d->min)
            return err_set(err, ERR_CONFIG, "invalid %s: %lld (min %lld)", name, (long long)*out / 1000000,
                           (long long)d->min / 1000000);
        if (*out > d->max)
            return err_set(err, ERR_CONFIG, "invalid %s: %lld (max %lld)", name, (long long)*out / 1000000,
                           (long long)d->max / 1000000);
        return true;
    default:
        if (!conf_parse_int(slice_text(text), out) || (d->type == PARAM_INT && (*out < INT32_MIN || *out > INT32_MAX)))
            return err_set(err, ERR_CONFIG, "bad numerical configuration: %s = %s", name, text);
        if (*out < d->min)
            return err_set(err, ERR_CONFIG, "invalid %s parameter value %lld < %lld", name, (long long)*out,
                           (long long)d->min);
        if (*out > d->max)
            return err_set(err, ERR_CONFIG, "invalid %s parameter value %lld > %lld", name, (long long)*out,
                           (long long)d->max);
        return true;
    }
}

static bool check_text(const struct param_def *d, const char *name, const char *text, struct err *err)
{
    if (d->nonempty && text[0] == '\0')
        return err_set(err, ERR_CONFIG, "bad string length 0 < 1: %s = ", name);
    if (d->type != PARAM_ENUM)
        return true;
    for (const char *v = param_texts + d->values; *v != '\0'; v += strlen(v) + 1)
        if (slice_eq(slice_text(v), slice_text(text)))
            return true;
    return err_set(err, ERR_CONFIG, "bad parameter value: '%s = %s'", name, text);
}

/* A value whose every dollar names something else: expanded, then read. */
static bool set_from_text(struct params *p, size_t index, struct err *err)
{
    const struct param_def *d = &param_defs[index];
    const char *name = param_name(index), *text;
    char *field = (char *)p + d->offset;
    int64_t number;

    if (!params_text(p, slice_text(name), &text, err))
        return false;
    if (d->type == PARAM_TEXT || d->type == PARAM_ENUM) {
        if (!check_text(d, name, text, err))
            return false;
        *(const char **)field = text;
        return true;
    }
    return parse_number(d, name, text, &number, err) && set_number(field, d->type, number);
}

/* ---- whose affair a wrong value is ---- */

/* Areas of parameters that only these programs use; all others are everybody's.  tools/check-params compares it with the sources. */
static const struct {
    slice area;
    const char *programs;
} private_areas[] = {
    {S_INIT("anvil"), "anvil"},           {S_INIT("local"), "local virtual"},  {S_INIT("milter"), "smtpd cleanup"},
    {S_INIT("postscreen"), "postscreen"}, {S_INIT("sasl"), "smtpd smtp lmtp"}, {S_INIT("smtp"), "smtp lmtp"},
    {S_INIT("smtpd"), "smtpd"},           {S_INIT("tls"), "smtpd smtp lmtp"},  {S_INIT("verify"), "verify smtpd"},
    {S_INIT("virtual"), "virtual"},       {S_INIT("resolve"), "trivial-rewrite smtpd verify"},
};
/* Of commands. */
static const char areas_of_commands[] = "addresses system waybill";

static bool is_among(const char *words, slice word)
{
    slice list = slice_text(words), one;

    while (cut_word(&list, " ", &one))
        if (slice_eq(one, word))
            return true;
    return false;
}

/* Who loads parameters. */
struct reader {
    const char *program; /* NULL: whoever */
    bool is_command;
};

static bool is_affair_of(const struct reader *r, size_t index)
{
    slice area = slice_text(param_texts + param_defs[index].area);

    if (r->is_command)
        return is_among(areas_of_commands, area);
    for (size_t i = 0; i < COUNT_OF(private_areas) && r->program != NULL; i++)
        if (slice_eq(area, private_areas[i].area))
            return is_among(private_areas[i].programs, slice_text(r->program));
    return true;
}

/* As if main.cf did not give it. */
static bool set_default(struct params *p, size_t index, struct err *err)
{
    slice name = slice_text(param_name(index));
    const char *text = params_default(p, name);

    free(map_take(p->texts, name));
    conf_set(&p->conf, name, slice_text(text));
    return set_from_text(p, index, err);
}

/* Nobody is told of a wrong value that nothing uses. */
static bool set_field(struct params *p, const struct reader *r, size_t index, struct err *err)
{
    struct err unused;

    if (set_from_text(p, index, err) || param_rows[index].known_only)
        return true;
    return !is_affair_of(r, index) && set_default(p, index, &unused);
}

/* What main.cf gives, and the first COUNT of those whose defaults are no constants. */
static bool set_fields(struct params *p, const struct reader *r, size_t count, struct err *err)
{
    bool *wanted = xcalloc(param_row_count, sizeof *wanted);
    bool ok = true;

    MAP_EACH(e, &p->conf.raw)
    {
        size_t index = param_find(map_key(e));

        if (index != SLICE_NONE)
            wanted[index] = true;
    }
    for (size_t i = 0; i < count; i++)
        wanted[param_unfixed[i]] = true;
    for (size_t i = 0; i < param_row_count && ok; i++)
        ok = !wanted[i] || set_field(p, r, i, err);
    free(wanted);
    if (ok && map_get(p->texts, S(PARAMS_PROBLEM)) != NULL)
        return err_set(err, ERR_CONFIG, "%s", (const char *)map_get(p->texts, S(PARAMS_PROBLEM)));
    return ok;
}

static bool check_level(struct params *p, struct err *err)
{
    int64_t unused;

    return compat_level_parse(slice_text(p->compatibility_level), &unused) ||
           err_set(err, ERR_CONFIG, "malformed compatibility level syntax: \"%s\"", p->compatibility_level);
}

enum { LABEL_MOST = 63, HOSTNAME_MOST = 255 };

/* Labels of letters, digits, hyphens (not at an end) and underscores, as the field takes them; not all of them numbers.
 */
static bool is_hostname(slice name)
{
    bool numeric = true;
    slice label;

    if (name.n == 0 || name.n > HOSTNAME_MOST || name.p[name.n - 1] == '.')
        return false;
    while (cut_field(&name, '.', &label)) {
        if (label.n == 0 || label.n > LABEL_MOST || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++) {
            if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_' &&
                (unsigned char)label.p[i] < 128)
                return false;
            numeric = numeric && ascii_is_digit(label.p[i]);
        }
    }
    return !numeric;
}

static bool check_hostname(const struct params *p, struct err *err)
{
    return is_hostname(slice_text(p->myhostname)) ||
           err_set(err, ERR_CONFIG, "file %s/main.cf: parameter myhostname: bad parameter value: %s",
                   p->config_directory, p->myhostname);
}

/* As Debian has it: a path stands for the first line of that file (/etc/mailname).  $myorigin stays the path. */
static bool read_origin(struct params *p, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(ORIGIN_FILE_MOST);
    slice rest, line;
    struct err cause;

    if (p->myorigin[0] != '/')
        return true;
    if (!file_read_path(p->myorigin, &text, &cause))
        return err_set(err, ERR_CONFIG, "myorigin: %s", cause.text);
    rest = buf_slice(&text);
    if (!cut_until(&rest, '\n', &line))
        line = rest;
    line = slice_trim(line);
    if (line.n == 0)
        return err_set(err, ERR_CONFIG, "myorigin file %s is empty", p->myorigin);
    p->myorigin = params_keep(p, S("=origin"), line);
    return true;
}

static bool check_origin(struct params *p, struct err *err)
{
    slice rest, first, more;

    if (!read_origin(p, err))
        return false;
    rest = slice_text(p->myorigin);
    if (cut_word(&rest, ", \t\r\n", &first) && cut_word(&rest, ", \t\r\n", &more))
        return err_set(err, ERR_CONFIG, "myorigin parameter setting must not contain multiple values: %s", p->myorigin);
    return true;
}

static bool check_protocols(const struct params *p, struct err *err)
{
    bool ipv4, ipv6;

    return inet_protocols_parse(slice_text(p->inet_protocols), &ipv4, &ipv6, err);
}

struct params *params_read(const char *config_directory, bool read_main_cf, const struct params_override *overrides,
                           size_t count, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX_BYTES);
    struct params *p = xmalloc(sizeof *p);

    *p = params_at_start;
    conf_init(&p->conf);
    p->texts = xcalloc(1, sizeof *p->texts);
    map_init(p->texts);
    buf_addf(&path, "%s/main.cf", config_directory);
    params_keep(p, S("=config_directory"), slice_text(config_directory));
    if (read_main_cf && !conf_read(&p->conf, buf_text(&path), err)) {
        params_free(p);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        conf_set(&p->conf, overrides[i].name, overrides[i].value);
    return p;
}

/* P, or NULL: it is wrong and has been freed. */
static struct params *complete(struct params *p, const struct reader *r, size_t unfixed_count, struct err *err)
{
    if (p != NULL && set_fields(p, r, unfixed_count, err) && check_level(p, err) && check_hostname(p, err) &&
        check_origin(p, err) && check_protocols(p, err))
        return p;
    params_free(p);
    return NULL;
}

struct params *params_load(const char *config_directory, const char *program, const struct params_override *overrides,
                           size_t count, struct err *err)
{
    const struct reader reader = {.program = program};

    return complete(params_read(config_directory, true, overrides, count, err), &reader, param_unfixed_count, err);
}

struct params *params_load_for_command(const char *config_directory, struct err *err)
{
    const struct reader reader = {.is_command = true};

    return complete(params_read(config_directory, true, NULL, 0, err), &reader, param_unfixed_for_commands, err);
}

#include "mail/service/options.h"

#include <unistd.h>

#include "core/base/cut.h"

static bool add_override(struct service_options *o, const char *text, struct err *err)
{
    slice rest = slice_text(text), name;

    if (o->override_count == OVERRIDES_MOST)
        return err_set(err, ERR_LIMIT, "more than %d -o options", OVERRIDES_MOST);
    if (!cut_until(&rest, '=', &name))
        return err_set(err, ERR_SYNTAX, "invalid \"-o %.200s\" option value: missing '=' after attribute name", text);
    o->overrides[o->override_count++] = (struct params_override){slice_trim(name), slice_trim(rest)};
    return true;
}

static bool take(struct service_options *o, int option, char *value, struct err *err)
{
    switch (option) {
    case 'c':
        o->chroot = true;
        return true;
    case 'i':
        o->max_idle = value;
        return true;
    case 'l':
        o->one = true;
        return true;
    case 'm':
        o->max_use = value;
        return true;
    case 'n':
        o->name = value;
        return true;
    case 'o':
        return add_override(o, value, err);
    case 's':
        return (slice_to_int(slice_text(value), &o->sockets) && o->sockets > 0 && o->sockets < 10000) ||
               err_set(err, ERR_SYNTAX, "invalid socket_count: %.200s", value);
    case 'S':
        o->standalone = true;
        return true;
    case 't':
        o->type = value;
        return true;
    case 'u':
        o->unprivileged = true;
        return true;
    case 'V':
        o->to_stderr = true;
        return true;
    case 'z':
        o->unlimited = true;
        return true;
    case 'd':
    case 'D':
    case 'r':
    case 'v':
        return true; /* how to debug, and when to retire: nothing to do here */
    default:
        return err_set(err, ERR_SYNTAX, "invalid option: %c", optopt);
    }
}

bool service_options_parse(int argc, char **argv, struct service_options *out, struct err *err)
{
    int option;

    *out = (struct service_options){.sockets = 1};
    optind = 1;
    opterr = 0;
    while ((option = getopt(argc, argv, "+cdDi:lm:n:o:r:s:St:uvVz")) != -1)
        if (!take(out, option, optarg, err))
            return false;
    out->arguments = argv + optind;
    return true;
}

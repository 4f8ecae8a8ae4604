#include "commands/postconf/options.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/bug.h"
#include "core/base/cut.h"
#include "mail/events/events.h"

static NORETURN void usage(void)
{
    event_fatal(
        "usage: postconf [-a (server SASL types)] [-A (client SASL types)] [-b (bounce templates)] "
        "[-c config_dir] [-C param_class] [-d "
        "(parameter "
        "defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] [-h (no names)] [-H (no "
        "values)] [-l "
        "(lock types)] [-m (map types)] [-M (master.cf)] [-n (non-default parameters)] [-o name=value (override "
        "parameter "
        "value)] [-p (main.cf, default)] [-P (master.cf parameters)] [-v (verbose)] [-x (expand parameter values)] [-X "
        "(exclude)] [-# (comment-out)] [name...]");
}

static void add_override(struct options *o, const char *text)
{
    slice rest = slice_text(text), name;

    if (!cut_until(&rest, '=', &name))
        event_fatal("invalid parameter override: %s: missing '=' after attribute name", text);
    if (o->override_count == OVERRIDES_MOST)
        event_fatal("more than %d options -o", (int)OVERRIDES_MOST);
    o->overrides[o->override_count++] = (struct params_override){slice_trim(name), slice_trim(rest)};
}

static unsigned parse_classes(const char *text)
{
    static const struct {
        const char *name;
        unsigned classes;
    } known[] = {{"builtin", CLASS_BUILTIN}, {"service", CLASS_SERVICE}, {"user", CLASS_USER}, {"all", CLASS_ALL}};
    slice rest = slice_text(text), word;
    unsigned classes = 0;

    while (cut_word(&rest, ", \t", &word)) {
        unsigned added = 0;

        for (size_t i = 0; i < COUNT_OF(known); i++)
            if (slice_eq_case(word, slice_text(known[i].name)))
                added = known[i].classes;
        if (added == 0)
            event_fatal("unknown -C option value \"%.*s\" in \"%s\"", S_ARG(word), text);
        classes |= added;
    }
    return classes;
}

static bool *flag_of(struct options *o, char letter)
{
    const struct {
        char letter;
        bool *flag;
    } flags[] = {{'a', &o->server_sasl}, {'A', &o->client_sasl}, {'d', &o->defaults}, {'e', &o->edit},
                 {'f', &o->fold},        {'F', &o->fields},      {'h', &o->no_name},  {'H', &o->no_value},
                 {'l', &o->lock_types},  {'m', &o->map_types},   {'M', &o->rows},     {'n', &o->set_only},
                 {'p', &o->main},        {'P', &o->parameters},  {'x', &o->expand},   {'X', &o->remove},
                 {'#', &o->comment_out}, {'b', &o->expanded_templates}, {'t', &o->templates}};

    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (flags[i].letter == letter)
            return flags[i].flag;
    return NULL;
}

static bool is_given(struct options *o, char letter)
{
    return letter == 'o' ? o->override_count > 0 : *flag_of(o, letter);
}

/* At most one of LETTERS. */
static void check_exclusive(struct options *o, const char *letters)
{
    AUTO_BUF struct buf given = BUF_INIT(200);
    unsigned count = 0;

    for (; *letters != '\0'; letters++)
        if (is_given(o, *letters)) {
            (void)buf_addf(&given, " -%c", *letters);
            count++;
        }
    if (count > 1)
        event_fatal("specify one of%s", buf_text(&given));
}

/* None of LETTERS beside -MODE. */
static void check_mode(struct options *o, char mode, const char *letters)
{
    for (; is_given(o, mode) && *letters != '\0'; letters++)
        if (is_given(o, *letters))
            event_fatal("with option -%c, do not specify -%c", mode, *letters);
}

static const char modes[] = "aAbFlmMpPt", lists[] = "aAblmt";

static void check(struct options *o)
{
    static const char *const groups[] = {modes, "denX#", "deoX#", "efX#", "ehHX#", "exX#"};

    for (size_t i = 0; i < COUNT_OF(groups); i++)
        check_exclusive(o, groups[i]);
    for (const char *mode = lists; *mode != '\0'; mode++)
        check_mode(o, *mode, "defhHnoxX#");
    check_mode(o, 'F', "dnX#");
    check_mode(o, 'M', "dhHn");
    check_mode(o, 'P', "dn#");
}

static bool is_list(const struct options *o)
{
    return o->server_sasl || o->client_sasl || o->lock_types || o->map_types || o->templates || o->expanded_templates;
}

void options_parse(int argc, char **argv, struct options *o)
{
    bool *flag;
    int c;

    o->classes = CLASS_ALL;
    while ((c = getopt(argc, argv, "aAbc:C:deFfhHlmMno:pPtvxX#")) > 0)
        switch (c) {
        case 'c':
            o->config = optarg;
            break;
        case 'C':
            o->classes = parse_classes(optarg);
            break;
        case 'o':
            add_override(o, optarg);
            break;
        case 'v':
            break;
        case 'b':
        case 't':
            if (o->templates || o->expanded_templates)
                event_fatal("specify one of -b and -t");
            *flag_of(o, (char)c) = true;
            break;
        default:
            flag = flag_of(o, (char)c);
            if (flag == NULL)
                usage();
            *flag = true;
        }
    /* A value is given only to be set. */
    if (!is_list(o) && optind < argc && strchr(argv[optind], '=') != NULL)
        o->edit = true;
    check(o);
}

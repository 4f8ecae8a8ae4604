/* commands/postconf/options.h - what the command line of postconf(1) asks for.
 *
 * Options that contradict each other end the program with Postfix's words.  Depends on: mail/params, mail/events. */
#ifndef COMMANDS_POSTCONF_OPTIONS_H
#define COMMANDS_POSTCONF_OPTIONS_H

#include "mail/params/params.h"

enum { OVERRIDES_MOST = 256 };

enum { CLASS_BUILTIN = 1, CLASS_SERVICE = 2, CLASS_USER = 4, CLASS_ALL = 7 };

struct options {
    bool set_only, defaults, no_name, no_value, fold, expand;
    bool edit, remove, comment_out;
    bool rows, fields, parameters; /* of master.cf */
    bool main;                     /* of main.cf, which needs not be said */
    bool lock_types, map_types, server_sasl, client_sasl;
    bool templates, expanded_templates; /* of notices */
    unsigned classes;
    const char *config;
    struct params_override overrides[OVERRIDES_MOST]; /* point into ARGV */
    size_t override_count;
};

/* Fills *OPTIONS, which is zeroed; optind is the first argument then.  "NAME=VALUE" as the first one implies -e. */
void options_parse(int argc, char **argv, struct options *options);

#endif

/* commands/postconf/names.h - which names of parameters mean something here, and which are slips of the pen. */
#ifndef COMMANDS_POSTCONF_NAMES_H
#define COMMANDS_POSTCONF_NAMES_H

#include "core/conf/master_cf.h"
#include "mail/params/params.h"

enum name_class { NAME_UNKNOWN, NAME_BUILTIN, NAME_SERVICE, NAME_USER };

struct names {
    struct params *params;
    struct master_conf master; /* empty when master.cf cannot be read */
    struct map used;           /* names that a live value refers to */
};

/* Looks through main.cf and DIRECTORY/master.cf.  P must outlive N. */
void names_init(struct names *n, struct params *p, const char *directory);
void names_done(struct names *n);

/* Built in, made by a service of master.cf and a suffix, or set and referred to by a live value. */
enum name_class name_class(const struct names *n, slice name);
/* Suffix number INDEX of a service's parameters into OUT; false past the last. */
bool name_of_service(const struct names *n, size_t index, struct buf *out);

/* "undefined parameter: x", before anything is shown. */
void names_warn_undefined(const struct names *n, const char *directory);
/* "unused parameter: x=y" of main.cf and master.cf. */
void names_warn_unused_main(const struct names *n, const char *directory);
void names_warn_unused_master(const struct names *n, const char *directory);

#endif

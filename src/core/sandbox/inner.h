/* core/sandbox/inner.h - what the parts of core/sandbox share.  For core/sandbox alone. */
#ifndef CORE_SANDBOX_INNER_H
#define CORE_SANDBOX_INNER_H

#include <linux/filter.h>
#include <stdint.h>

#include "core/base/slice.h"
#include "core/sandbox/sandbox.h"

/* ---- calls.c: which system calls a declaration allows ---- */

enum verdict {
    VERDICT_UNKNOWN, /* ENOSYS */
    VERDICT_ALLOW,
    VERDICT_CHECK, /* allowed when an argument_rule says so, else EACCES */
    VERDICT_REFUSE, /* EPERM */
    VERDICT_KILL,
};

/* Allows NUMBER when each argument, masked, is the value.  Arguments are compared in their lower 32 bits. */
struct argument_rule {
    int number;
    struct {
        unsigned index;
        uint32_t mask, value;
    } arguments[2]; /* the second with mask 0: any */
};

enum { CALLS_MOST = 512, RULES_MOST = 64 };

struct call_table {
    uint8_t verdicts[CALLS_MOST]; /* enum verdict, by number */
    struct argument_rule rules[RULES_MOST];
    size_t rule_count;
};

void calls_choose(const struct sandbox *s, struct call_table *out);

/* ---- filter.c ---- */
enum { FILTER_MOST = 1500 };

struct filter {
    struct sock_filter code[FILTER_MOST];
    unsigned short length;
};

void filter_compile(const struct call_table *t, struct filter *out);
bool filter_is_known(void); /* this machine's kind */

/* ---- landlock.c ---- */
/* The version of its interface; 0: none, or none that is of use. */
int landlock_version(void);
MUST_CHECK bool landlock_enter(const struct sandbox *s, struct err *err);

/* ---- names.c ---- */
extern const struct sandbox_place name_places[];
extern const size_t name_place_count;
/* NSSWITCH, the text of nsswitch.conf, names sources for users or groups that may ask over the network by themselves.  Pure. */
bool names_ask_outside(slice nsswitch);
/* So does this machine's. */
bool names_need_internet(void);
/* Loads the modules that it names, wherever they lie: one that cannot be opened later is passed over in silence, and its
 * users are unknown. */
void names_load(void);

#endif

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cut.h"
#include "mail/params/own_address.h"
#include "mail/params/param_def.h"

enum { HOST_MAX_BYTES = 256, NETWORKS_MAX_BYTES = 1 << 20 };

static slice after_first_dot(slice host)
{
    size_t dot = slice_find(host, '.');

    return dot == SLICE_NONE ? slice_of("", 0) : slice_skip(host, dot + 1);
}

/* The machine's name; one without a dot gets the domain that main.cf names, or "localdomain". */
static const char *compute_myhostname(struct params *p)
{
    AUTO_BUF struct buf name = BUF_INIT(2 * HOST_MAX_BYTES);
    char host[HOST_MAX_BYTES];
    const char *domain = NULL;

    if (gethostname(host, sizeof host) != 0 || host[0] == '\0')
        (void)snprintf(host, sizeof host, "localhost");
    host[sizeof host - 1] = '\0';
    buf_add_text(&name, host);
    if (slice_find(buf_slice(&name), '.') == SLICE_NONE) {
        if (conf_raw(&p->conf, S("mydomain")) != NULL)
            domain = params_get(p, S("mydomain"));
        buf_addf(&name, ".%s", domain != NULL ? domain : "localdomain");
    }
    return params_keep(p, S("=myhostname"), buf_slice(&name));
}

static const char *compute_mydomain(struct params *p)
{
    const char *host = params_get(p, S("myhostname"));
    slice domain = after_first_dot(slice_text(host));

    return params_keep(p, S("=mydomain"), domain.n > 0 ? domain : S("localdomain"));
}

static const char *compute_process_id(struct params *p)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%ld", (long)getpid());
    return params_keep(p, S("=process_id"), slice_text(text));
}

static const char *compute_process_name(struct params *p)
{
    return params_keep(p, S("=process_name"), slice_text(program_invocation_short_name));
}

static bool print_networks(struct params *p, struct buf *out, struct err *err)
{
    const char *interfaces, *protocols, *style;
    struct interface_address *own;
    size_t count;
    bool ok;

    if (!params_text(p, S("inet_interfaces"), &interfaces, err) || !params_text(p, S("inet_protocols"), &protocols, err) ||
        !params_text(p, S("mynetworks_style"), &style, err) ||
        !own_addresses_get(slice_text(interfaces), slice_text(protocols), &own, &count, err))
        return false;
    ok = own_networks_print(own, count, slice_text(style), out, err);
    free(own);
    return ok;
}

/* A default cannot fail: what is wrong is kept for params_load() to find. */
static const char *compute_mynetworks(struct params *p)
{
    AUTO_BUF struct buf networks = BUF_INIT(NETWORKS_MAX_BYTES);
    struct err err;

    if (!print_networks(p, &networks, &err)) {
        params_keep(p, S(PARAMS_PROBLEM), slice_text(err.text));
        buf_clear(&networks);
    }
    return params_keep(p, S("=mynetworks"), buf_slice(&networks));
}

const char *param_computed(struct params *p, slice name)
{
    static const struct {
        slice name, key;
        const char *meanwhile; /* the answer when computing it needs itself */
        const char *(*compute)(struct params *p);
    } computed[] = {
        {S_INIT("myhostname"), S_INIT("=myhostname"), "localhost.localdomain", compute_myhostname},
        {S_INIT("mydomain"), S_INIT("=mydomain"), "localdomain", compute_mydomain},
        {S_INIT("mynetworks"), S_INIT("=mynetworks"), "127.0.0.0/8 [::1]/128", compute_mynetworks},
        {S_INIT("process_id"), S_INIT("=process_id"), "", compute_process_id},
        {S_INIT("process_name"), S_INIT("=process_name"), "", compute_process_name},
        {S_INIT("config_directory"), S_INIT("=config_directory"), "", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(computed); i++) {
        const char *text;

        if (!slice_eq(name, computed[i].name))
            continue;
        text = map_get(p->texts, computed[i].key);
        if (text != NULL)
            return text;
        params_keep(p, computed[i].key, slice_text(computed[i].meanwhile));
        return computed[i].compute(p);
    }
    return NULL;
}

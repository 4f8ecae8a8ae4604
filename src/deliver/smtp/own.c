#include "deliver/smtp/own.h"

#include <stdlib.h>

#include "core/base/cut.h"
#include "mail/params/own_address.h"

static struct interface_address *own;
static size_t own_count;

bool own_addresses_load(const struct params *params, struct err *err)
{
    slice proxies = slice_text(params->proxy_interfaces), word;

    if (!own_addresses_get(slice_text(params->inet_interfaces), slice_text(params->inet_protocols), &own, &own_count,
                           err))
        return false;
    while (cut_word(&proxies, ", \t\r\n", &word)) {
        struct endpoint e;
        struct interface_address *grown;

        if (!endpoint_parse(word, &e))
            continue;
        grown = reallocarray(own, own_count + 1, sizeof *own);
        if (grown == NULL)
            return err_set(err, ERR_LIMIT, "no memory for proxy_interfaces");
        own = grown;
        own[own_count++] = (struct interface_address){.address = e};
    }
    return true;
}

bool own_address(const struct endpoint *e)
{
    for (size_t i = 0; i < own_count; i++)
        if (endpoint_same_host(&own[i].address, e))
            return true;
    return false;
}

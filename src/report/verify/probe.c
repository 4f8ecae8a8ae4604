#include "report/verify/probe.h"

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/clock.h"
#include "mail/address/probe_sender.h"
#include "mail/content/submit.h"
#include "mail/events/events.h"
#include "mail/proto/cleanup.h"
#include "mail/proto/delivery.h"
#include "mail/service/service.h"

enum { ADDRESS_MOST = 16384 };

static bool send_to(slice address, deadline by, struct err *err)
{
    AUTO_BUF struct buf sender = BUF_INIT(ADDRESS_MOST);
    struct notice_options o = {
        .recipient = address,
        .trace_flags = DELIVERY_MTA_PROBE,
        .cleanup_flags = CLEANUP_FROM_NOTICE | submit_autodetects_utf8(S("verify")),
    };
    struct submission s = {0};
    int64_t status = 0;

    if (!probe_sender(service_params(), clock_wall_us() / SECONDS(1), &sender))
        return err_set(err, ERR_LIMIT, "address_verify_sender is too long");
    o.sender = buf_slice(&sender);
    if (!submit_notice(&s, &o, by, err) || !submit_notice_end(&s, by, &status, err))
        return false;
    return status == CLEANUP_OK || err_set(err, ERR_REFUSED, "refused by cleanup, status %lld", (long long)status);
}

static void send_task(void *arg)
{
    char *address = arg;
    struct err err;

    if (!send_to(slice_text(address), deadline_in(service_params()->ipc_timeout_us), &err))
        event_warning("probe for %s: %s", address, err.text);
    free(address);
}

void probe_send(slice address)
{
    char *copy = xstrndup(address.p, address.n);
    struct err err;

    if (service_spawn("probe", send_task, copy, false, &err))
        return;
    event_warning("probe for %s: %s", copy, err.text);
    free(copy);
}

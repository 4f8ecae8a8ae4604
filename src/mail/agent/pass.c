#include "mail/agent/agent.h"
#include "mail/events/events.h"
#include "mail/service/connect.h"
#include "mail/service/service.h"

static bool send_request(const struct agent_request *r, const struct recipient *one, slice nexthop, struct stream *s,
                         struct err *err)
{
    struct delivery_request request = r->wire;
    const struct delivery_recipient to = {
        .original_recipient = one->original,
        .recipient = one->address,
        .offset = -1, /* we mark it */
        .dsn_orig_rcpt = one->dsn_orig_rcpt,
        .notify_flags = one->notify,
    };

    request.nexthop = nexthop;
    request.recipient_count = 1;
    return ipc_write(s, &delivery_request_shape, &request, r->by, err) &&
           ipc_write(s, &delivery_recipient_shape, &to, r->by, err) && stream_flush(s, r->by, err);
}

static void log_passing(const struct agent_request *r, const struct recipient *one, slice transport)
{
    AUTO_BUF struct buf address = BUF_INIT(8192);

    event_print_address(one->address, &address);
    event_info("%.*s: passing <%s> to transport=%.*s", S_ARG(r->wire.queue_id), buf_text(&address), S_ARG(transport));
}

bool agent_pass(struct agent_request *r, const struct recipient *one, slice transport, slice nexthop,
                struct outcome *out, struct err *err)
{
    const char *service = arena_text(r->arena, transport);
    struct delivery_answer answer;
    deadline by = deadline_in(service_params()->ipc_timeout_us);
    struct dsn_code code = {4, 3, 0};

    if (service == NULL)
        return err_set(err, ERR_LIMIT, "no memory for a transport's name");
    AUTO_STREAM struct stream *s = service_connect("private", service, DELIVERY_PROTOCOL, by, err);
    if (s == NULL)
        return false;
    log_passing(r, one, transport);
    if (!send_request(r, one, nexthop, s, err) ||
        !service_read_answer(IPC_ATTR0, s, &delivery_answer_shape, r->arena, r->by, &answer, err))
        return false;
    (void)dsn_code_parse(answer.status, &code);
    if (answer.result == 0)
        *out = (struct outcome){.kind = OUTCOME_DELIVERED, .dsn = {2, 0, 0}};
    else
        *out = (struct outcome){.kind = OUTCOME_DEFERRED, .dsn = code, .reason = answer.reason};
    return true;
}

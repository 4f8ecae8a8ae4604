#include "mail/agent/head.h"

#include <stdio.h>
#include <time.h>

#include "mail/service/service.h"
#include "mail/syntax/address.h"

/* A line break inside an address would end the header. */
static void add_address(struct buf *out, slice internal)
{
    size_t from = out->n;

    (void)address_quote(internal, out);
    for (size_t i = from; i < out->n; i++)
        if (out->p[i] == '\n' || out->p[i] == '\r')
            out->p[i] = '?';
}

static bool from_line(struct mailbox_job *job, const struct agent_request *r)
{
    AUTO_BUF struct buf line = BUF_INIT(sizeof job->from_line - 1);
    time_t arrival = (time_t)(r->times.arrival_us / 1000000);
    char date[32];
    struct tm tm;

    (void)localtime_r(&arrival, &tm);
    (void)strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
    (void)buf_add(&line, S("From "));
    if (r->wire.sender.n > 0)
        add_address(&line, r->wire.sender);
    else
        (void)buf_add(&line, S("MAILER-DAEMON"));
    (void)buf_addf(&line, "  %s", date);
    (void)snprintf(job->from_line, sizeof job->from_line, "%s", buf_text(&line));
    return !line.overflow;
}

bool agent_head_fill(struct mailbox_job *job, const struct agent_request *r, const struct recipient *to)
{
    AUTO_BUF struct buf head = BUF_INIT(sizeof job->head - 1);

    (void)buf_add(&head, S("Return-Path: <"));
    add_address(&head, r->wire.sender);
    (void)buf_add(&head, S(">\n"));
    if (service_params()->enable_original_recipient && to->original.n > 0) {
        (void)buf_add(&head, S("X-Original-To: "));
        add_address(&head, to->original);
        (void)buf_add(&head, S("\n"));
    }
    (void)buf_add(&head, S("Delivered-To: "));
    add_address(&head, to->address);
    (void)buf_add(&head, S("\n"));
    (void)snprintf(job->head, sizeof job->head, "%s", buf_text(&head));
    return !head.overflow && from_line(job, r);
}

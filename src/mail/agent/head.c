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

bool agent_from_line(const struct agent_request *r, slice sender, struct buf *line)
{
    time_t arrival = (time_t)(r->times.arrival_us / 1000000);
    char date[32];
    struct tm tm;

    (void)localtime_r(&arrival, &tm);
    (void)strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
    (void)buf_add(line, S("From "));
    if (sender.n > 0)
        add_address(line, sender);
    else
        (void)buf_add(line, S("MAILER-DAEMON"));
    (void)buf_addf(line, "  %s", date);
    return !line->overflow;
}

static void add_line(struct buf *head, const char *name, slice address)
{
    (void)buf_add_text(head, name);
    add_address(head, address);
    (void)buf_add(head, S("\n"));
}

bool agent_head(slice sender, const struct recipient *to, slice delivered_to, struct buf *head)
{
    (void)buf_add(head, S("Return-Path: <"));
    add_address(head, sender);
    (void)buf_add(head, S(">\n"));
    if (service_params()->enable_original_recipient && to->original.n > 0)
        add_line(head, "X-Original-To: ", to->original);
    if (delivered_to.n > 0)
        add_line(head, "Delivered-To: ", delivered_to);
    return !head->overflow;
}

bool agent_head_fill(struct mailbox_job *job, const struct agent_request *r, slice sender, const struct recipient *to,
                     slice delivered_to)
{
    AUTO_BUF struct buf head = BUF_INIT(sizeof job->head - 1), line = BUF_INIT(sizeof job->from_line - 1);

    if (!agent_head(sender, to, delivered_to, &head) || !agent_from_line(r, sender, &line))
        return false;
    (void)snprintf(job->head, sizeof job->head, "%s", buf_text(&head));
    (void)snprintf(job->from_line, sizeof job->from_line, "%s", buf_text(&line));
    return true;
}

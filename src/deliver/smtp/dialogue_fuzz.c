/* Any bytes as what a server says: the greeting, EHLO, and the replies after it. */
#include <stdint.h>

#include "core/base/bug.h"
#include "deliver/smtp/connect.h"
#include "mail/events/events.h"

static struct params params = {.myhostname = "client.example"};

static struct settings settings_of(unsigned char choice)
{
    bool lmtp = choice & 1;

    return (struct settings){
        .hello_timeout_us = SECONDS(1),
        .quit_timeout_us = SECONDS(1),
        .connection_reuse_time_limit_us = SECONDS(1),
        .skip_5xx_greeting = choice & 2,
        .skip_quit_response = choice & 4,
        .ehlo_where_said = choice & 8,
        .lmtp = lmtp,
        .prefix = lmtp ? "lmtp" : "smtp",
        .hello_verb = lmtp ? "LHLO" : "EHLO",
        .hello_name = "client.example",
        .discard_keywords = choice & 16 ? "dsn, pipelining" : "",
        .pix_workarounds = "disable_esmtp, delay_dotcrlf",
        .bind_address = "",
        .bind_address6 = "",
        .params = &params,
    };
}

static void read_replies(struct connection *c, struct arena *arena)
{
    struct reply reply;
    struct err err;

    BUG_IF(c->size_limit < 0);
    BUG_IF(c->xforward != 0 && (c->features & HAS_XFORWARD) == 0);
    while (connection_hear(c, arena, SECONDS(1), &reply, &err)) {
        BUG_IF(reply.code < 0 || reply.code > 999);
        BUG_IF(reply.text.n > 2 * REPLY_TEXT_MOST || slice_has_nul(reply.text));
        BUG_IF(reply.dsn.class < 2 || reply.dsn.class > 5);
        arena_reset(arena);
    }
    BUG_IF(err.text[0] == '\0');
}

static void talk(void *arg)
{
    static const struct destination d = {.text = S_INIT("there")};
    const struct target t = {.host = S("there"), .path = S("socket")};
    AUTO_ARENA struct arena arena = ARENA_INIT(1U << 20);
    const struct errand errand = {.queue_id = S("QUEUEID"), .age_us = SECONDS(1000), .arena = &arena};
    const slice *in = arg;
    struct settings settings = settings_of((unsigned char)in->p[0]);
    struct outcome why = {0};
    struct connection *c = connection_begin(&d, &t, &settings, &errand, stream_from_bytes(slice_skip(*in, 1)), &why);

    if (c == NULL) {
        BUG_IF(why.reason.n == 0 || why.relay.n == 0 || why.kind == OUTCOME_DELIVERED);
        return;
    }
    read_replies(c, &arena);
    connection_close(c, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct log_config quiet = {.sink = LOG_SINK_NONE};
    slice in = slice_of(data, size);
    struct err err;

    if (events_log() == NULL)
        events_open(log_open(&quiet));
    if (size > 0)
        BUG_IF(!loop_run(talk, &in, &err));
    return 0;
}

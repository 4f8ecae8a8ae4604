#include "deliver/smtp/command.h"

#include "core/base/cut.h"
#include "deliver/smtp/connection.h"
#include "mail/syntax/xtext.h"

static void add_body(const struct delivery_request *w, struct buf *out)
{
    if (w->encoding.n > 0)
        (void)buf_add(out, slice_eq_case(w->encoding, S("8bit")) ? S(" BODY=8BITMIME") : S(" BODY=7BIT"));
}

static void add_return(const struct delivery_request *w, struct buf *out)
{
    if (w->envelope_id.n > 0) {
        (void)buf_add(out, S(" ENVID="));
        (void)xtext_encode(w->envelope_id, S(""), out);
    }
    if (w->ret_flags == RET_FULL || w->ret_flags == RET_HEADERS)
        (void)buf_add(out, w->ret_flags == RET_FULL ? S(" RET=FULL") : S(" RET=HDRS"));
}

void command_mail(const struct delivery_request *w, slice path, unsigned features, bool size_known, struct buf *out)
{
    (void)buf_addf(out, "MAIL FROM:<%.*s>", S_ARG(path));
    if ((features & HAS_SIZE) && size_known)
        (void)buf_addf(out, " SIZE=%lld", (long long)w->size);
    if (features & HAS_8BITMIME)
        add_body(w, out);
    if (features & HAS_DSN)
        add_return(w, out);
    if ((features & HAS_SMTPUTF8) && w->smtputf8 != 0)
        (void)buf_add(out, S(" SMTPUTF8"));
    (void)buf_add(out, S("\r\n"));
}

/* What ORCPT says when nobody said anything: the address as it was first given. */
static void add_orcpt(const struct recipient *r, struct buf *out)
{
    slice rest = r->dsn_orig_rcpt, type;

    if (rest.n == 0 || !cut_until(&rest, ';', &type)) {
        type = S("rfc822");
        rest = r->original;
    }
    if (rest.n == 0)
        return;
    (void)buf_add(out, S(" ORCPT="));
    (void)buf_add(out, type);
    (void)buf_add_char(out, ';');
    if (slice_eq_case(type, S("utf-8")))
        (void)uxtext_encode(rest, S(""), out);
    else
        (void)xtext_encode(rest, S(""), out);
}

static void add_notify(int notify, struct buf *out)
{
    static const struct {
        int bit;
        const char *word;
    } words[] = {
        {NOTIFY_NEVER, "NEVER"}, {NOTIFY_SUCCESS, "SUCCESS"}, {NOTIFY_FAILURE, "FAILURE"}, {NOTIFY_DELAY, "DELAY"}};
    const char *before = " NOTIFY=";

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if ((notify & words[i].bit) == 0)
            continue;
        (void)buf_addf(out, "%s%s", before, words[i].word);
        before = ",";
    }
}

void command_rcpt(const struct recipient *r, slice path, unsigned features, struct buf *out)
{
    (void)buf_addf(out, "RCPT TO:<%.*s>", S_ARG(path));
    if (features & HAS_DSN) {
        add_orcpt(r, out);
        add_notify(r->notify, out);
    }
    (void)buf_add(out, S("\r\n"));
}

/* Whatever a client writes behind a command's word: what comes out lies inside what went in, and printed again it is read alike. */
#include "core/base/bug.h"
#include "mail/envelope/recipient.h"
#include "mail/smtp/command.h"
#include "mail/syntax/xtext.h"

enum { BYTES = 1 << 20 };

static void check_inside(slice in, slice out)
{
    BUG_IF(out.n > in.n || (out.n > 0 && (out.p < in.p || out.p + out.n > in.p + in.n)));
}

static void print_mail(const struct mail_parameters *m, struct buf *out)
{
    BUG_IF(!buf_addf(out, "SIZE=%lld", (long long)m->size));
    if (m->encoding.n > 0)
        BUG_IF(!buf_addf(out, " BODY=%s", m->encoding.p[0] == '8' ? "8BITMIME" : "7BIT"));
    if (m->ret != RET_NONE)
        BUG_IF(!buf_addf(out, " RET=%s", m->ret == RET_FULL ? "FULL" : "HDRS"));
    if (m->envelope_id.n > 0)
        BUG_IF(!buf_addf(out, " ENVID=") || !xtext_encode(m->envelope_id, S("\""), out));
    if (m->smtputf8)
        BUG_IF(!buf_addf(out, " SMTPUTF8"));
    if (m->auth.p != NULL) /* the last, since it may open a quotation */
        BUG_IF(!buf_addf(out, " AUTH=") || !buf_add(out, m->auth));
}

static void mail(slice in, const struct parameter_rules *rules)
{
    AUTO_BUF struct buf decoded = BUF_INIT(BYTES), printed = BUF_INIT(BYTES), again_decoded = BUF_INIT(BYTES);
    struct mail_parameters m, again;
    slice culprit;
    enum parameter_fault fault = mail_parameters_parse(in, rules, &decoded, &m, &culprit);

    if (fault != PARAMETER_GOOD) {
        check_inside(in, culprit);
        return;
    }
    check_inside(in, m.auth);
    print_mail(&m, &printed);
    BUG_IF(mail_parameters_parse(buf_slice(&printed), rules, &again_decoded, &again, &culprit) != PARAMETER_GOOD);
    BUG_IF(again.size != m.size || again.ret != m.ret || again.smtputf8 != m.smtputf8 ||
           !slice_eq(again.encoding, m.encoding) || !slice_eq(again.envelope_id, m.envelope_id) ||
           !slice_eq(again.auth, m.auth) || (m.smtputf8 && !parameters_say_smtputf8(in)));
}

static void rcpt(slice in, const struct parameter_rules *rules)
{
    AUTO_BUF struct buf decoded = BUF_INIT(BYTES);
    struct rcpt_parameters r;
    slice culprit, whole;

    if (rcpt_parameters_parse(in, rules, &decoded, &r, &culprit, &whole) != PARAMETER_GOOD) {
        check_inside(in, culprit);
        check_inside(in, whole);
        return;
    }
    BUG_IF(r.notify < 0 || r.notify > 14 || ((r.notify & NOTIFY_NEVER) != 0 && r.notify != NOTIFY_NEVER));
    check_inside(buf_slice(&decoded), r.orcpt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct parameter_rules all = {.dsn = true, .smtputf8 = true}, none = {0};
    slice in = slice_of(data, size), rest = in, name, value;
    int64_t bytes;
    bool last;

    mail(in, &all);
    mail(in, &none);
    rcpt(in, &all);
    rcpt(in, &none);
    BUG_IF(bdat_parse(in, &bytes, &last) && bytes < 0);
    while (cut_proxy_attribute(&rest, &name, &value)) {
        check_inside(in, name);
        check_inside(in, value);
        BUG_IF(name.n == 0 || value.n == 0);
    }
    return 0;
}

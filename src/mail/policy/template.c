#include "mail/policy/template.h"

#include "core/base/cut.h"

/* "\\t", "\\40", "\\\"" */
static slice unescaped(struct arena *arena, slice text)
{
    AUTO_BUF struct buf out = BUF_INIT(1000);
    char c;

    while (text.n > 0 && out.n < out.max - 1) {
        c = text.p[0];
        text = slice_skip(text, 1);
        if (c == '\\' && cut_char(&text, 't')) {
            c = '\t';
        } else if (c == '\\' && text.n > 0 && text.p[0] >= '0' && text.p[0] <= '7') {
            unsigned value = 0;

            for (int i = 0; i < 3 && text.n > 0 && text.p[0] >= '0' && text.p[0] <= '7'; i++) {
                value = value * 8 + (unsigned)(text.p[0] - '0');
                text = slice_skip(text, 1);
            }
            c = (char)value;
        } else if (c == '\\' && text.n > 0) {
            c = text.p[0];
            text = slice_skip(text, 1);
        }
        (void)buf_add_char(&out, c);
    }
    return arena_keep(arena, buf_slice(&out), S(""));
}

void reply_template_init(struct reply_template *t, const struct params *p, struct arena *arena)
{
    conf_init(&t->values);
    t->allowed = unescaped(arena, slice_text(p->smtpd_expansion_filter));
}

void reply_template_done(struct reply_template *t)
{
    conf_done(&t->values);
}

void reply_template_set(struct reply_template *t, const char *name, slice value)
{
    AUTO_BUF struct buf escaped = BUF_INIT(REPLY_TEMPLATE_MOST);

    for (size_t i = 0; i < value.n; i++) {
        char c = slice_find(t->allowed, value.p[i]) != SLICE_NONE ? value.p[i] : '_';

        if ((c == '$' && !buf_add_char(&escaped, '$')) || !buf_add_char(&escaped, c))
            break;
    }
    conf_set(&t->values, slice_text(name), buf_slice(&escaped));
}

#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/cut.h"
#include "core/conf/main_cf.h"
#include "mail/address/resolve_inner.h"
#include "mail/params/own_address.h"
#include "mail/syntax/address.h"

struct rewrite_rules resolver_rewrite_rules(const struct params *p, bool local)
{
    slice remote = slice_text(p->remote_header_rewrite_domain);

    return (struct rewrite_rules){
        .swap_bangpath = p->swap_bangpath,
        .percent_hack = p->allow_percent_hack,
        .append_origin = p->append_at_myorigin,
        .append_domain = p->append_dot_mydomain,
        .origin = local ? slice_text(p->myorigin) : remote,
        .domain = local ? slice_text(p->mydomain) : remote,
    };
}

/* ---- standard form ---- */

static bool has_char(slice s, char c)
{
    return slice_find(s, c) != SLICE_NONE;
}

static bool plain_local(slice local)
{
    AUTO_BUF struct buf quoted = BUF_INIT(RESOLVE_TEXT_MAX);

    return !has_char(local, '@') && address_quote(local, &quoted) && slice_eq(buf_slice(&quoted), local);
}

/* Which routing operator of the local part is to be obeyed; 0: none.  They count even inside quotes, unless
 * resolve_dequoted_address says otherwise. */
static char routing_operator(const struct resolving *q, slice local)
{
    const struct rewrite_rules *rules = &q->r->rules;
    size_t bang, percent;

    if (!q->r->params->resolve_dequoted_address && !plain_local(local))
        return '\0';
    if (has_char(local, '@'))
        return '@';
    bang = rules->swap_bangpath ? slice_find(local, '!') : SLICE_NONE;
    percent = rules->percent_hack ? slice_find(local, '%') : SLICE_NONE;
    if (bang != SLICE_NONE && (percent == SLICE_NONE || (bang < percent && bang > 0)))
        return '!';
    return percent != SLICE_NONE ? '%' : '\0';
}

static void set_text(struct buf *b, slice text)
{
    buf_clear(b);
    buf_add(b, text);
}

/* Splits raw ADDRESS at its last '@'. */
static void take_address(struct resolving *q, slice address, const struct rewrite_rules *rules)
{
    slice local, domain;

    buf_clear(&q->domain);
    q->has_domain = has_char(address, '@');
    address_split(address, &local, &domain);
    if (q->has_domain)
        rewrite_domain(rules, domain, &q->domain);
    local = q->has_domain ? slice_head(address, slice_find_last(address, '@')) : address;
    buf_clear(&q->local);
    if (local.n > 0 && *local.p == '@' && has_char(local, ':')) {
        size_t route = slice_find(local, ':') + 1;
        rewrite_route(slice_head(local, route), &q->local);
        local = slice_skip(local, route);
    }
    buf_add(&q->local, local);
}

/* site!user by the rules of rewriting, which read quotes. */
static void rewrite_local(struct resolving *q)
{
    AUTO_BUF struct buf external = BUF_INIT(RESOLVE_TEXT_MAX), internal = BUF_INIT(RESOLVE_TEXT_MAX);

    if (rewrite_external(&q->r->rules, buf_slice(&q->local), &external) && address_unquote(buf_slice(&external), &internal))
        take_address(q, buf_slice(&internal), NULL);
}

/* Obeys OPERATOR of a local part whose domain was ours or missing. */
static void obey(struct resolving *q, char operator)
{
    AUTO_BUF struct buf raw = BUF_INIT(RESOLVE_TEXT_MAX);

    if (operator == '!') {
        rewrite_local(q);
        return;
    }
    buf_add(&raw, buf_slice(&q->local));
    if (operator == '%')
        raw.p[slice_find_last(buf_slice(&raw), '%')] = '@';
    take_address(q, buf_slice(&raw), &q->r->rules);
}

/* Strips domains that are ours while the local part tells a further way.  False: a list failed. */
static bool to_standard_form(struct resolving *q)
{
    enum { TURNS_MOST = 100 };

    for (int turn = 0; turn < TURNS_MOST; turn++) {
        bool ours = !q->has_domain || q->domain.n == 0;
        char operator;

        if (!ours) {
            enum table_got got = resolver_is_local(q, buf_slice(&q->domain));
            if (got == TABLE_FAILED)
                return false;
            ours = got == TABLE_FOUND;
        }
        if (!ours)
            return true;
        operator = routing_operator(q, buf_slice(&q->local));
        if (operator == '\0') {
            if (q->local.n == 0)
                set_text(&q->local, slice_text(q->r->params->empty_address_recipient));
            return true;
        }
        obey(q, operator);
    }
    return true;
}

/* ---- is it well-formed ---- */

/* A host name whose letters may be UTF-8. */
static bool domain_name_valid(slice domain)
{
    char plain[256];

    if (domain.n >= sizeof plain)
        return false;
    for (size_t i = 0; i < domain.n; i++)
        plain[i] = (domain.p[i] & 0x80) != 0 ? 'x' : domain.p[i];
    return hostname_valid((slice){plain, domain.n});
}

static bool domain_valid(slice domain)
{
    struct endpoint e;

    return domain_is_literal(domain) ? endpoint_parse(domain, &e) : domain_name_valid(domain);
}

/* user@192.0.2.1 as user@[192.0.2.1], where asked for. */
static void bracket_numeric(struct resolving *q)
{
    AUTO_BUF struct buf bracketed = BUF_INIT(RESOLVE_TEXT_MAX);
    struct endpoint e;

    if (!q->r->params->resolve_numeric_domain || domain_is_literal(buf_slice(&q->domain)) ||
        !endpoint_parse(buf_slice(&q->domain), &e))
        return;
    buf_addf(&bracketed, "[%.*s]", S_ARG(buf_slice(&q->domain)));
    set_text(&q->domain, buf_slice(&bracketed));
}

static void check_form(struct resolving *q)
{
    slice local = buf_slice(&q->local);

    if (!q->has_domain || (q->domain.n == 0 && q->r->params->resolve_null_domain)) {
        q->has_domain = true;
        set_text(&q->domain, slice_text(q->r->params->myhostname));
    }
    if (has_char(local, '@') || has_char(local, '%') || has_char(local, '!'))
        q->flags |= RESOLVE_ROUTED;
    bracket_numeric(q);
    if (!domain_valid(buf_slice(&q->domain)))
        q->flags = RESOLVE_ERROR | RESOLVE_DEFAULT;
    else if (local.n > 0 && *local.p == '-' && !q->r->params->allow_min_user)
        q->flags |= RESOLVE_ERROR;
}

/* ---- the answer ---- */

static void answer(struct resolving *q, struct arena *arena, bool ok, struct resolved *out)
{
    AUTO_BUF struct buf recipient = BUF_INIT(2 * RESOLVE_TEXT_MAX);

    buf_add(&recipient, buf_slice(&q->local));
    buf_add_char(&recipient, '@');
    buf_add(&recipient, buf_slice(&q->domain));
    *out = (struct resolved){.flags = q->flags};
    /* What Postfix leaves in fields that it has not come to; its logs show them. */
    if (!ok || q->transport.n == 0) {
        out->transport = S("CHANNEL NOT UPDATED");
        out->nexthop = S("NEXTHOP NOT UPDATED");
    } else if (!arena_copy(arena, buf_slice(&q->transport), &out->transport) ||
               !arena_copy(arena, buf_slice(&q->nexthop), &out->nexthop)) {
        ok = false;
    }
    if (ok && !arena_copy(arena, buf_slice(&recipient), &out->recipient))
        ok = false;
    if (!ok) {
        out->recipient = S("NEXTRCPT NOT UPDATED");
        out->flags = RESOLVE_FAIL;
    }
}

bool resolver_resolve(struct resolver *r, slice sender, slice address, struct arena *arena, deadline by,
                      struct resolved *out, const char **where, struct err *err)
{
    struct resolving q = {
        .r = r, .sender = sender, .by = by, .err = err, .where = "",
        .local = BUF_INIT(RESOLVE_TEXT_MAX), .domain = BUF_INIT(RESOLVE_TEXT_MAX), .value = BUF_INIT(RESOLVE_TEXT_MAX),
        .transport = BUF_INIT(RESOLVE_TEXT_MAX), .nexthop = BUF_INIT(RESOLVE_TEXT_MAX),
    };
    bool ok;

    take_address(&q, address, NULL);
    ok = to_standard_form(&q);
    if (ok) {
        check_form(&q);
        if (q.flags != (RESOLVE_ERROR | RESOLVE_DEFAULT))
            ok = resolver_route(&q);
    }
    answer(&q, arena, ok, out);
    *where = q.where;
    buf_done(&q.local);
    buf_done(&q.domain);
    buf_done(&q.value);
    buf_done(&q.transport);
    buf_done(&q.nexthop);
    return ok;
}

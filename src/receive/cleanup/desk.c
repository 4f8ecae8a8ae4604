#include "receive/cleanup/desk.h"

#include <stdlib.h>

#include "core/base/cut.h"
#include "mail/syntax/address.h"

/* ---- opening ---- */

static bool parse_classes(const char *parameter, const char *text, unsigned *out, struct err *err)
{
    static const struct {
        slice word;
        unsigned class;
    } words[] = {
        {S_INIT("envelope_sender"), ADDRESS_ENVELOPE_SENDER},
        {S_INIT("envelope_recipient"), ADDRESS_ENVELOPE_RECIPIENT},
        {S_INIT("header_sender"), ADDRESS_HEADER_SENDER},
        {S_INIT("header_recipient"), ADDRESS_HEADER_RECIPIENT},
    };
    slice rest = slice_text(text), word;
    unsigned classes = 0;

    while (cut_word(&rest, ", \t\r\n", &word)) {
        size_t i = 0;

        while (i < COUNT_OF(words) && !slice_eq_case(words[i].word, word))
            i++;
        if (i == COUNT_OF(words))
            return err_set(err, ERR_CONFIG, "unknown %s value \"%.*s\" in \"%s\"", parameter, S_ARG(word), text);
        classes |= words[i].class;
    }
    *out = classes;
    return true;
}

static bool has_word(const char *text, slice wanted)
{
    slice rest = slice_text(text), word;

    while (cut_word(&rest, ", \t\r\n", &word))
        if (slice_eq_case(word, wanted))
            return true;
    return false;
}

static bool open_map(struct address_map *m, const char *name, const char *list, const char *classes_name,
                     const char *classes, bool propagate, struct buf *warning, struct err *err)
{
    m->name = name;
    m->propagate_extension = propagate;
    if (classes_name != NULL && !parse_classes(classes_name, classes, &m->classes, err))
        return false;
    m->tables = tables_open(slice_text(list), TABLE_FOLD, warning, err);
    return m->tables != NULL;
}

static bool open_maps(struct desk *d, struct buf *warning, struct err *err)
{
    const struct params *p = d->params;
    bool canonical = has_word(p->propagate_unmatched_extensions, S("canonical"));
    bool alias = has_word(p->propagate_unmatched_extensions, S("virtual"));

    return open_map(&d->checks[REWRITER_HEADER], "header_checks", p->header_checks, NULL, NULL, false, warning, err) &&
           open_map(&d->checks[REWRITER_MIME_HEADER], "mime_header_checks", p->mime_header_checks, NULL, NULL, false,
                    warning, err) &&
           open_map(&d->checks[REWRITER_NESTED_HEADER], "nested_header_checks", p->nested_header_checks, NULL, NULL,
                    false, warning, err) &&
           open_map(&d->checks[REWRITER_BODY], "body_checks", p->body_checks, NULL, NULL, false, warning, err) &&
           open_map(&d->sender_canonical, "sender_canonical_maps", p->sender_canonical_maps, "sender_canonical_classes",
                    p->sender_canonical_classes, canonical, warning, err) &&
           open_map(&d->recipient_canonical, "recipient_canonical_maps", p->recipient_canonical_maps,
                    "recipient_canonical_classes", p->recipient_canonical_classes, canonical, warning, err) &&
           open_map(&d->canonical, "canonical_maps", p->canonical_maps, "canonical_classes", p->canonical_classes,
                    canonical, warning, err) &&
           open_map(&d->virtual_alias, "virtual_alias_maps", p->virtual_alias_maps, NULL, NULL, alias, warning, err) &&
           open_map(&d->sender_bcc, "sender_bcc_maps", p->sender_bcc_maps, NULL, NULL, false, warning, err) &&
           open_map(&d->recipient_bcc, "recipient_bcc_maps", p->recipient_bcc_maps, NULL, NULL, false, warning, err);
}

bool desk_open(struct desk *d, const struct params *p, struct buf *warning, struct err *err)
{
    *d = (struct desk){
        .params = p,
        .layout = {slice_text(p->hash_queue_names), p->hash_queue_depth},
    };
    characters_parse(slice_text(p->message_strip_characters), &d->strip);
    characters_parse(slice_text(p->message_reject_characters), &d->reject);
    if (rewriter_rules_init(&d->rules, p, err) && open_maps(d, warning, err) &&
        parse_classes("masquerade_classes", p->masquerade_classes, &d->masquerade_classes, err) &&
        (d->local_domains = match_list_open(slice_text(p->mydestination), MATCH_DOMAIN, false, err)) != NULL &&
        (d->masquerade_exceptions = match_list_open(slice_text(p->masquerade_exceptions), MATCH_STRING, false, err)) !=
            NULL &&
        interfaces_get(&d->interfaces, &d->interface_count, err))
        return true;
    desk_close(d);
    return false;
}

static struct address_map *map_at(struct desk *d, size_t i)
{
    struct address_map *const maps[] = {
        &d->sender_canonical, &d->recipient_canonical, &d->canonical, &d->virtual_alias, &d->sender_bcc,
        &d->recipient_bcc,    &d->checks[0],           &d->checks[1], &d->checks[2],     &d->checks[3]};

    return i < COUNT_OF(maps) ? maps[i] : NULL;
}

void desk_close(struct desk *d)
{
    struct address_map *m;

    for (size_t i = 0; (m = map_at(d, i)) != NULL; i++) {
        tables_close(m->tables);
        m->tables = NULL;
    }
    match_list_close(d->local_domains);
    match_list_close(d->masquerade_exceptions);
    d->local_domains = d->masquerade_exceptions = NULL;
    free(d->interfaces);
    d->interfaces = NULL;
}

bool desk_changed(struct desk *d, struct buf *name)
{
    const struct address_map *m;

    for (size_t i = 0; (m = map_at(d, i)) != NULL; i++)
        if (tables_changed(m->tables, name))
            return true;
    return false;
}

/* ---- addresses ---- */

bool desk_too_long(slice address, struct err *err)
{
    return err_set(err, ERR_LIMIT, "address too long: %.*s...", S_ARG(slice_head(address, 100)));
}

bool desk_rewrite_internal(const struct desk *d, slice internal, struct arena *arena, deadline by, slice *out,
                           struct err *err)
{
    AUTO_BUF struct buf external = BUF_INIT(65536), back = BUF_INIT(65536);
    slice rewritten;

    if (internal.n == 0) {
        *out = internal;
        return true;
    }
    if (!address_quote(internal, &external))
        return desk_too_long(internal, err);
    if (!d->rewrite(d->rewrite_context, S("local"), buf_slice(&external), arena, by, &rewritten, err))
        return false;
    if (!address_unquote(rewritten, &back) || !arena_copy(arena, buf_slice(&back), out))
        return desk_too_long(rewritten, err);
    return true;
}

static bool is_own_address(const struct desk *d, slice literal)
{
    struct endpoint e;

    if (!endpoint_parse(literal, &e))
        return false;
    for (size_t i = 0; i < d->interface_count; i++)
        if (endpoint_same_host(&d->interfaces[i].address, &e))
            return true;
    return false;
}

bool desk_is_local(const struct desk *d, slice domain, deadline by)
{
    struct err ignored;

    if (slice_eq_case(domain, slice_text(d->params->myorigin)))
        return true;
    if (match_list_has(d->local_domains, domain, S(""), by, &ignored) == TABLE_FOUND)
        return true;
    return domain_is_literal(domain) && is_own_address(d, domain);
}

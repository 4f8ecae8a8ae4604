#include "deliver/smtp/generic.h"

#include "core/base/cut.h"
#include "deliver/smtp/own.h"
#include "mail/address/client.h"
#include "mail/content/address_list.h"
#include "mail/events/events.h"
#include "mail/syntax/address.h"

enum { VALUE_MOST = 65536, TOKENS_MOST = 1 << 20 };

/* Is DOMAIN where a bare name is at home: $myorigin, $mydestination, an address of this machine? */
static bool is_home(void *context, slice domain)
{
    const struct settings *s = context;
    slice literal = domain;
    struct endpoint e;
    struct err err;

    if (slice_eq_case(domain, slice_text(s->params->myorigin)))
        return true;
    if (cut_char(&literal, '[') && slice_ends(literal, S("]")))
        return endpoint_parse(slice_head(literal, literal.n - 1), &e) && own_address(&e);
    return match_list_has(s->mydestination, domain, S(""), deadline_in(s->params->ipc_timeout_us), &err) == TABLE_FOUND;
}

static enum table_got look_up(const struct settings *s, slice address, struct buf *value, struct err *err)
{
    const struct client_map *m = &s->maps[MAP_GENERIC];
    const struct address_lookup how = {
        .delimiters = slice_text(s->params->recipient_delimiter),
        .is_local_domain = is_home,
        .context = (void *)s,
        .propagate_extension = is_listed(slice_text(s->params->propagate_unmatched_extensions), S("generic")),
    };
    enum table_got got = tables_get_address(m->tables, address, ADDRESS_FULL | ADDRESS_USER | ADDRESS_DOMAIN, &how,
                                            deadline_in(s->params->ipc_timeout_us), value, err);

    if (got == TABLE_FAILED) {
        event_look_up_failed(tables_failed(m->tables), address, err);
        (void)err_set(err, ERR_TEMPORARY, "%s map lookup problem for %.*s", m->parameter, S_ARG(address));
        event_warning("%s", err->text);
    }
    return got;
}

static struct list_node *next_address(struct list_node *at)
{
    while (at != NULL && at->kind != NODE_ADDRESS)
        at = at->next;
    return at;
}

/* The address that VALUE, a table's answer for KEY, stands for: of several, the first; "@domain" takes KEY's local
 * part. */
static bool result(const struct settings *s, slice key, slice value, struct arena *arena, slice *out, struct err *err)
{
    AUTO_BUF struct buf internal = BUF_INIT(VALUE_MOST);
    struct list_node *first = NULL;
    slice local, domain;

    if (!address_list_parse(value, TOKENS_MOST, arena, &first))
        return err_set(err, ERR_LIMIT, "%s: value too long", s->maps[MAP_GENERIC].parameter);
    first = next_address(first);
    if (first == NULL) {
        *out = key;
        return true;
    }
    if (next_address(first->next) != NULL)
        event_warning("multi-valued %s result for %.*s", s->maps[MAP_GENERIC].parameter, S_ARG(key));
    address_split(key, &local, &domain);
    if (slice_starts(first->text, S("@")))
        (void)buf_add(&internal, local);
    (void)address_unquote(first->text, &internal);
    return address_rewrite_internal(s->rewriter, S("local"), buf_slice(&internal), arena,
                                    deadline_in(s->params->ipc_timeout_us), out, err);
}

bool generic_address(const struct settings *s, slice address, struct arena *arena, slice *out, struct err *err)
{
    AUTO_BUF struct buf value = BUF_INIT(VALUE_MOST);

    *out = address;
    if (address.n == 0 || client_map_is_empty(s, MAP_GENERIC))
        return true;
    switch (look_up(s, address, &value, err)) {
    case TABLE_FAILED:
        return false;
    case TABLE_NOT_FOUND:
        return true;
    case TABLE_FOUND:
        break;
    }
    return result(s, address, buf_slice(&value), arena, out, err);
}

/* ---- headers ---- */

static bool has_addresses(enum header_kind kind)
{
#define KIND_CASE(name) case HEADER_##name:
    switch (kind) {
        HEADER_SENDERS(KIND_CASE) HEADER_RECIPIENTS(KIND_CASE) return true;
    default:
        return false;
    }
}

/* EXTERNAL is replaced by what it is to be. */
static bool map_external(const struct settings *s, slice *external, struct arena *arena, bool *changed, struct err *err)
{
    AUTO_BUF struct buf internal = BUF_INIT(VALUE_MOST), quoted = BUF_INIT(VALUE_MOST);
    slice mapped;

    if (!address_unquote(*external, &internal))
        return true; /* too long for any table */
    if (!generic_address(s, buf_slice(&internal), arena, &mapped, err))
        return false;
    if (slice_eq(mapped, buf_slice(&internal)))
        return true;
    *changed = true;
    return (address_quote(mapped, &quoted) && arena_copy(arena, buf_slice(&quoted), external)) ||
           err_set(err, ERR_LIMIT, "no memory for an address");
}

bool generic_header(const struct settings *s, enum header_kind kind, slice text, struct arena *arena, slice *out,
                    struct err *err)
{
    size_t most = (size_t)s->params->header_size_limit;
    AUTO_BUF struct buf printed = BUF_INIT(most * 4 + VALUE_MOST);
    int tokens = s->params->header_address_token_limit;
    struct list_node *first = NULL;
    slice name, value;
    bool changed = false;

    *out = text;
    if (client_map_is_empty(s, MAP_GENERIC) || !has_addresses(kind) || !header_line_parse(text, &name, &kind, &value))
        return true;
    if (!address_list_parse(value, tokens > 0 ? (size_t)tokens : SIZE_MAX, arena, &first))
        return err_set(err, ERR_LIMIT, "header %.*s: too many addresses", S_ARG(name));
    for (struct list_node *n = next_address(first); n != NULL; n = next_address(n->next))
        if (!map_external(s, &n->text, arena, &changed, err))
            return false;
    if (!changed)
        return true;
    return (address_list_print(name, first, most, &printed) && arena_copy(arena, buf_slice(&printed), out)) ||
           err_set(err, ERR_LIMIT, "no memory for a header");
}

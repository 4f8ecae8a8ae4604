#include <arpa/inet.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "core/dns/inner.h"
#include "core/dns/message.h"

enum { UDP_BYTES = 1232, ALIASES_MOST = 10, NAME_BYTES = 1025 };

/* ---- the resolver ---- */

/* Which servers were found, as far as trust depends on it. */
static void look_at_servers(struct dns *d)
{
    struct ares_addr_port_node *servers, *s;
    int count = 0;

    d->only_local = true;
    if (ares_get_servers_ports(d->pattern, &servers) != ARES_SUCCESS)
        return;
    for (s = servers; s != NULL; s = s->next) {
        struct endpoint e = {0};

        if (s->family == AF_INET) {
            e.bytes = sizeof e.u.v4;
            e.u.v4.sin_family = AF_INET;
            memcpy(&e.u.v4.sin_addr, &s->addr.addr4, 4);
        } else {
            e.bytes = sizeof e.u.v6;
            e.u.v6.sin6_family = AF_INET6;
            memcpy(&e.u.v6.sin6_addr, &s->addr.addr6, 16);
        }
        d->only_local = d->only_local && endpoint_is_loopback(&e);
        d->only_server = e;
        count++;
    }
    d->has_only_server = count == 1;
    ares_free_data(servers);
}

static struct dns *open_with(const char *server, uint16_t port, struct err *err)
{
    struct dns *d = xcalloc(1, sizeof *d);
    struct ares_options options;
    char text[ENDPOINT_TEXT + 16];
    int code;

    resolv_conf_read(&d->conf);
    options = (struct ares_options){.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
                                    .timeout = d->conf.timeout_ms,
                                    .tries = d->conf.attempts,
                                    .ednspsz = UDP_BYTES};
    list_init(&d->channels);
    code = ares_init_options(&d->pattern, &options,
                             ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ);
    if (code == ARES_SUCCESS && server != NULL) {
        (void)snprintf(text, sizeof text, strchr(server, ':') != NULL ? "[%s]:%u" : "%s:%u", server, (unsigned)port);
        code = ares_set_servers_ports_csv(d->pattern, text);
    }
    if (code != ARES_SUCCESS) {
        (void)err_set(err, ERR_CONFIG, "resolver: %s", ares_strerror(code));
        free(d);
        return NULL;
    }
    d->trust_ad = d->conf.trust_ad;
    look_at_servers(d);
    return d;
}

struct dns *dns_open(struct err *err)
{
    struct dns *d = open_with(NULL, 0, err);

    if (d != NULL)
        d->watches_file = stat("/etc/resolv.conf", &d->file) == 0 && stat("/", &d->root) == 0;
    return d;
}

struct dns *dns_open_at(const char *server, uint16_t port, struct err *err)
{
    return open_with(server, port, err);
}

void dns_close(struct dns *d)
{
    if (d == NULL)
        return;
    channels_free(d);
    ares_destroy(d->pattern);
    free(d);
}

bool dns_config_changed(const struct dns *d)
{
    struct stat root, file;

    if (!d->watches_file || stat("/", &root) != 0 || root.st_ino != d->root.st_ino || root.st_dev != d->root.st_dev)
        return false;
    return stat("/etc/resolv.conf", &file) == 0 &&
           (file.st_ino != d->file.st_ino || file.st_size != d->file.st_size ||
            file.st_mtim.tv_sec != d->file.st_mtim.tv_sec || file.st_mtim.tv_nsec != d->file.st_mtim.tv_nsec);
}

void dns_trust_resolver(struct dns *d, slice address)
{
    struct endpoint e;

    if (endpoint_parse(address, &e) && d->has_only_server && endpoint_same_host(&e, &d->only_server))
        d->trust_ad = true;
}

/* ---- one exchange ---- */

struct exchange {
    struct waitq wait;
    struct dns_channel *channel;
    bool done, abandoned;
    int code;
    unsigned char *reply;
    int reply_bytes;
};

static void free_exchange(struct exchange *x)
{
    free(x->reply);
    free(x);
}

static void on_reply(void *arg, int code, int timeouts, unsigned char *reply, int bytes)
{
    struct exchange *x = arg;

    (void)timeouts;
    channel_answered(x->channel);
    if (x->abandoned) {
        free_exchange(x);
        return;
    }
    x->done = true;
    x->code = code;
    if (reply != NULL && bytes > 0) {
        x->reply = xmalloc((size_t)bytes);
        memcpy(x->reply, reply, (size_t)bytes);
        x->reply_bytes = bytes;
    }
    waitq_wake_all(&x->wait);
}

static unsigned short random_id(void)
{
    unsigned short id = 0;

    BUG_IF(getrandom(&id, sizeof id, 0) != sizeof id);
    return id;
}

/* Sends the question and waits.  NULL: *ERR is set, or (ERR_NONE) the name cannot be asked for. */
static struct exchange *ask(struct dns *d, const char *name, enum dns_type type, deadline by, struct err *err)
{
    unsigned char *question = NULL;
    int bytes = 0;
    struct exchange *x;

    err_clear(err);
    if (ares_create_query(name, 1, (int)type, random_id(), 1, &question, &bytes, UDP_BYTES) != ARES_SUCCESS)
        return NULL;
    if (d->trust_ad)
        question[3] |= 0x20; /* RFC 6840 section 5.7 */
    x = xcalloc(1, sizeof *x);
    waitq_init(&x->wait);
    x->channel = channel_for_question(d, err);
    if (x->channel == NULL) {
        ares_free_string(question);
        free(x);
        return NULL;
    }
    struct dns_channel *c = x->channel;
    ares_send(c->ares, question, bytes, on_reply, x);
    ares_free_string(question);
    channel_arm(c);
    while (!x->done)
        if (!waitq_wait(&x->wait, by, err))
            break;
    if (x->done)
        return x;
    x->abandoned = true;
    return NULL;
}

/* ---- questions ---- */

static void set_reason(struct dns_answer *out, enum dns_got got, slice name, enum dns_type type)
{
    const char *what = got == DNS_NO_NAME     ? "Host not found"
                       : got == DNS_NO_DATA   ? "Host found but no data record of requested type"
                       : got == DNS_TRY_AGAIN ? "Host not found, try again"
                       : got == DNS_NO_WAY    ? "Non-recoverable error"
                                              : "Malformed or unexpected name server reply";

    (void)snprintf(out->reason, sizeof out->reason, "%sName service error for name=%.*s type=%s: %s",
                   got == DNS_BAD ? "" : "Host or domain name not found. ", S_ARG(slice_head(name, 100)), dns_type_name(type), what);
}

slice dns_why(const struct dns_answer *answer)
{
    slice why = slice_text(answer->reason);
    size_t colon = slice_find_last(why, ':');

    return colon == SLICE_NONE ? why : slice_trim(slice_skip(why, colon + 1));
}

static enum dns_got look_up_once(struct dns *d, const char *name, enum dns_type type, struct arena *arena, deadline by,
                                 struct dns_answer *out, struct err *err)
{
    struct exchange *x = ask(d, name, type, by, err);
    enum dns_got got = DNS_TRY_AGAIN;

    if (x == NULL) {
        if (err->kind == ERR_NONE)
            return DNS_BAD;
        return err->kind == ERR_TIMEOUT || err->kind == ERR_TEMPORARY ? DNS_TRY_AGAIN : DNS_FAILED;
    }
    if (x->code == ARES_SUCCESS)
        got = dns_message_read(slice_of(x->reply, (size_t)x->reply_bytes), slice_text(name), type, arena, out, err);
    else if (x->code == ARES_EBADNAME)
        got = DNS_BAD;
    free_exchange(x);
    return got;
}

/* Also follows aliases that the server did not follow itself. */
static enum dns_got look_up(struct dns *d, const char *name, enum dns_type type, struct arena *arena, deadline by,
                            struct dns_answer *out, struct err *err)
{
    char asked[NAME_BYTES];
    bool authenticated = true;

    (void)snprintf(asked, sizeof asked, "%s", name);
    for (int i = 0; i < ALIASES_MOST; i++) {
        enum dns_got got = look_up_once(d, asked, type, arena, by, out, err);

        authenticated = authenticated && out->authenticated && d->trust_ad;
        out->authenticated = authenticated;
        if (got != DNS_NO_DATA || slice_eq_case(out->canonical, slice_text(asked))) {
            if (got != DNS_FOUND && got != DNS_FAILED && out->reason[0] == '\0')
                set_reason(out, got, slice_text(asked), type); /* the name at which the trail ends */
            return got;
        }
        if (!text_from_slice(out->canonical, asked, sizeof asked))
            return DNS_BAD;
    }
    (void)snprintf(out->reason, sizeof out->reason, "Name server loop for %.200s", name);
    out->looped = true;
    return DNS_NO_NAME;
}

enum dns_got dns_lookup(struct dns *d, slice name, enum dns_type type, struct arena *arena, deadline by,
                        struct dns_answer *out, struct err *err)
{
    struct dns_answer answer = {0};
    char text[NAME_BYTES];
    slice bare = name.n > 0 && name.p[name.n - 1] == '.' ? slice_head(name, name.n - 1) : name;
    enum dns_got got = DNS_BAD;

    if (bare.n > 0 && text_from_slice(bare, text, sizeof text))
        got = look_up(d, text, type, arena, by, &answer, err);
    if (got != DNS_FOUND && got != DNS_FAILED && answer.reason[0] == '\0')
        set_reason(&answer, got, bare, type);
    if (got != DNS_FAILED)
        *out = answer;
    return got;
}

/* Is NAME to be looked for under a domain of the list, and as it is first or last? */
static bool is_for_list(const struct dns *d, slice name, unsigned lists, bool *as_it_is_first)
{
    int dots = 0;

    for (size_t i = 0; i < name.n; i++)
        dots += name.p[i] == '.';
    *as_it_is_first = dots >= d->conf.dots;
    return !slice_ends(name, S(".")) && (lists & (dots == 0 ? DNS_LIST_SHORT : DNS_LIST_LONG)) != 0;
}

static bool is_final(enum dns_got got)
{
    return got != DNS_NO_NAME && got != DNS_NO_DATA;
}

enum dns_got dns_lookup_by_list(struct dns *d, slice name, unsigned lists, enum dns_type type, struct arena *arena,
                                deadline by, struct dns_answer *out, struct err *err)
{
    bool first, listed = is_for_list(d, name, lists, &first);
    size_t count = (lists & DNS_LIST_LONG) != 0 || d->conf.search_count == 0 ? d->conf.search_count : 1;
    struct dns_answer other;
    enum dns_got got = DNS_NO_NAME, under;

    if (!listed || first) {
        got = dns_lookup(d, name, type, arena, by, out, err);
        if (!listed || is_final(got))
            return got;
    }
    for (size_t i = 0; i < count; i++) {
        slice whole = arena_format(arena, name, "%.*s.%s", S_ARG(name), d->conf.search[i]);

        under = dns_lookup(d, whole, type, arena, by, &other, err);
        if (!is_final(under))
            continue;
        if (under != DNS_FAILED)
            *out = other;
        return under;
    }
    /* What it is without a list is what is told. */
    return first ? got : dns_lookup(d, name, type, arena, by, out, err);
}

void dns_reverse(const struct endpoint *address, struct buf *out)
{
    struct endpoint e = *address;

    endpoint_unmap(&e);
    if (e.u.any.sa_family == AF_INET) {
        uint32_t v4 = ntohl(e.u.v4.sin_addr.s_addr);

        (void)buf_addf(out, "%u.%u.%u.%u.", v4 & 255, v4 >> 8 & 255, v4 >> 16 & 255, v4 >> 24);
        return;
    }
    for (int i = 15; i >= 0; i--)
        (void)buf_addf(out, "%x.%x.", e.u.v6.sin6_addr.s6_addr[i] & 15U, e.u.v6.sin6_addr.s6_addr[i] >> 4);
}

enum dns_got dns_lookup_ptr(struct dns *d, const struct endpoint *address, struct arena *arena, deadline by,
                            struct dns_answer *out, struct err *err)
{
    AUTO_BUF struct buf name = BUF_INIT(200);
    struct endpoint e = *address;

    endpoint_unmap(&e);
    dns_reverse(&e, &name);
    (void)buf_add_text(&name, e.u.any.sa_family == AF_INET ? "in-addr.arpa" : "ip6.arpa");
    return dns_lookup(d, buf_slice(&name), DNS_PTR, arena, by, out, err);
}

#include <netdb.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "core/dns/dns.h"
#include "core/run/pool.h"

enum { HOST_BYTES = 256 };

static enum dns_got got_of(int code)
{
    switch (code) {
    case 0:
        return DNS_FOUND;
    case EAI_NONAME:
        return DNS_NO_NAME;
    case EAI_NODATA:
        return DNS_NO_DATA;
    case EAI_AGAIN:
    case EAI_SYSTEM:
    case EAI_MEMORY:
        return DNS_TRY_AGAIN;
    default:
        return DNS_BAD;
    }
}

/* ---- by name ---- */

struct name_job {
    const char *name;
    int family, code;
    struct addrinfo *found;
};

static void run_name_job(void *arg)
{
    struct name_job *job = arg;
    const struct addrinfo hints = {.ai_family = job->family, .ai_socktype = SOCK_STREAM};

    job->code = getaddrinfo(job->name, NULL, &hints, &job->found);
}

static bool has_address(const struct dns_record *records, const struct endpoint *address)
{
    for (; records != NULL; records = records->next)
        if (endpoint_same_host(&records->address, address))
            return true;
    return false;
}

/* Appends to ANSWER, whose last pointer is *END, an address that is not there yet: with "127.0.0.1 localhost" and
 * "::1 localhost" in /etc/hosts, glibc names 127.0.0.1 twice. */
static bool add_address(const struct addrinfo *a, struct dns_answer *answer, struct arena *arena,
                        struct dns_record ***end, struct err *err)
{
    struct endpoint address = {.bytes = a->ai_addrlen};
    struct dns_record *r;

    if (a->ai_addrlen > sizeof address.u || (a->ai_family != AF_INET && a->ai_family != AF_INET6))
        return true;
    memcpy(&address.u, a->ai_addr, a->ai_addrlen);
    if (has_address(answer->records, &address))
        return true;
    r = ARENA_NEW(arena, struct dns_record);
    if (r == NULL)
        return err_set(err, ERR_LIMIT, "no memory for the addresses of %.*s", S_ARG(answer->canonical));
    r->type = a->ai_family == AF_INET ? DNS_A : DNS_AAAA;
    r->name = answer->canonical;
    r->address = address;
    **end = r;
    *end = &r->next;
    return true;
}

enum dns_got host_lookup(slice name, int family, struct arena *arena, deadline by, struct dns_answer *out,
                         struct err *err)
{
    struct dns_answer answer = {0};
    struct dns_record **end = &answer.records;
    char text[HOST_BYTES];
    struct name_job job = {.name = text, .family = family, .code = EAI_NONAME};
    enum dns_got got;

    (void)by; /* helper threads cannot be interrupted; the resolver has its own limits */
    if (text_from_slice(name, text, sizeof text))
        pool_run(run_name_job, &job);
    got = got_of(job.code);
    if (got != DNS_FOUND) {
        (void)snprintf(answer.reason, sizeof answer.reason, "unable to look up host %.*s: %s",
                       S_ARG(slice_head(name, 100)), gai_strerror(job.code));
        *out = answer;
        return got;
    }
    if (!arena_copy(arena, name, &answer.canonical)) {
        (void)err_set(err, ERR_LIMIT, "no memory for the addresses of %s", text);
        got = DNS_FAILED;
    }
    for (const struct addrinfo *a = job.found; a != NULL && got == DNS_FOUND; a = a->ai_next)
        if (!add_address(a, &answer, arena, &end, err))
            got = DNS_FAILED;
    freeaddrinfo(job.found);
    if (got == DNS_FOUND)
        *out = answer;
    return got;
}

/* ---- by address ---- */

struct address_job {
    const struct endpoint *address;
    int code;
    char name[NI_MAXHOST];
};

static void run_address_job(void *arg)
{
    struct address_job *job = arg;

    job->code =
        getnameinfo(&job->address->u.any, job->address->bytes, job->name, sizeof job->name, NULL, 0, NI_NAMEREQD);
}

static bool is_plain(slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_is_print(name.p[i]) || name.p[i] == ' ')
            return false;
    return name.n > 0 && name.n < HOST_BYTES;
}

enum dns_got host_lookup_name(const struct endpoint *address, struct arena *arena, deadline by, struct dns_answer *out,
                              struct err *err)
{
    struct dns_answer answer = {0};
    struct address_job job = {.address = address};
    char shown[ENDPOINT_TEXT];
    enum dns_got got;

    (void)by;
    pool_run(run_address_job, &job);
    got = got_of(job.code);
    if (got == DNS_FOUND && !is_plain(slice_text(job.name)))
        got = DNS_BAD;
    if (got != DNS_FOUND) {
        endpoint_print(address, shown);
        (void)snprintf(answer.reason, sizeof answer.reason, "unable to look up address %s: %s", shown,
                       job.code == 0 ? "bad name" : gai_strerror(job.code));
        *out = answer;
        return got;
    }
    struct dns_record *r = ARENA_NEW(arena, struct dns_record);
    if (r == NULL || !arena_copy(arena, slice_text(job.name), &r->text)) {
        (void)err_set(err, ERR_LIMIT, "no memory for a host name");
        return DNS_FAILED;
    }
    r->type = DNS_PTR;
    r->address = *address;
    answer.records = r;
    answer.canonical = r->text;
    *out = answer;
    return DNS_FOUND;
}

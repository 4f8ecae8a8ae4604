#include "core/base/cut.h"
#include "core/base/file.h"
#include "core/dns/inner.h"

enum { FILE_BYTES = 65536 };

static int number_after(slice word, slice prefix, int low, int high, int otherwise)
{
    unsigned n;

    if (!cut_prefix(&word, prefix) || !cut_uint(&word, 1, 4, &n) || word.n > 0)
        return otherwise;
    return (int)n < low ? low : (int)n > high ? high : (int)n;
}

static void read_options(slice line, struct resolv_conf *c)
{
    slice word;

    while (cut_word(&line, " \t\r", &word)) {
        if (slice_eq(word, S("trust-ad")))
            c->trust_ad = true;
        c->timeout_ms = 1000 * number_after(word, S("timeout:"), 1, 30, c->timeout_ms / 1000);
        c->attempts = number_after(word, S("attempts:"), 1, 5, c->attempts);
        c->dots = number_after(word, S("ndots:"), 0, 15, c->dots);
    }
}

/* The last such line counts. */
static void read_search(slice line, struct resolv_conf *c)
{
    slice word;

    c->search_count = 0;
    while (c->search_count < SEARCH_MOST && cut_word(&line, " \t\r", &word))
        if (text_from_slice(word, c->search[c->search_count], SEARCH_NAME_BYTES))
            c->search_count++;
}

static void read_line(slice line, struct resolv_conf *c)
{
    slice word;

    if (!cut_word(&line, " \t", &word))
        return;
    if (slice_eq(word, S("options")))
        read_options(line, c);
    else if (slice_eq(word, S("search")) || slice_eq(word, S("domain")))
        read_search(line, c);
}

void resolv_conf_read(struct resolv_conf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(FILE_BYTES);
    struct resolv_conf c = {.timeout_ms = 5000, .attempts = 2, .dots = 1};
    struct err unused;
    slice rest, line;

    if (file_read_path("/etc/resolv.conf", &text, &unused)) {
        rest = buf_slice(&text);
        while (cut_field(&rest, '\n', &line))
            read_line(line, &c);
    }
    *out = c;
}

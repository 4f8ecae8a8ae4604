#include "mail/address/probe_sender.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/clock.h"

static void senders(void **state)
{
    static const struct {
        const char *configured;
        int64_t period_s;
        const char *sender;
    } rows[] = {
        {"double-bounce", 0, "double-bounce@origin"},
        {"double-bounce", 1, "double-bounce20QHKCZ@origin"},
        {"double-bounce", 3600, "double-bounceJR29@origin"},
        {"probe@foo.example", 0, "probe@foo.example"},
        {"probe@foo.example", 8000, "probe7JL2@foo.example"},
        {"", 3600, ""},
        {"<>", 3600, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf out = BUF_INIT(1000);
        const struct params p = {.address_verify_sender = rows[i].configured,
                                 .address_verify_sender_ttl_us = SECONDS(rows[i].period_s),
                                 .myorigin = "origin"};

        assert_true(probe_sender(&p, 1795788397, &out));
        assert_string_equal(buf_text(&out), rows[i].sender);
    }
}

static void recognised(void **state)
{
    const struct params p = {
        .address_verify_sender = "db", .address_verify_sender_ttl_us = SECONDS(100000), .myorigin = "origin"};
    const int64_t now = 1795788492;

    (void)state;
    assert_false(probe_sender_is(&p, now, S("dbLP6@origin")));
    assert_true(probe_sender_is(&p, now, S("dbLP7@origin")));
    assert_true(probe_sender_is(&p, now, S("DBLP8@Origin")));
    assert_true(probe_sender_is(&p, now, S("dbLP9@origin")));
    assert_false(probe_sender_is(&p, now, S("dbLPB@origin")));
    assert_false(probe_sender_is(&p, now, S("db@origin")));
    assert_false(probe_sender_is(&(struct params){.address_verify_sender = ""}, now, S("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(senders), cmocka_unit_test(recognised)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which lists may be used at all, and how far warn_if_reject reaches.  No restriction here asks a table or a resolver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mail/policy/internal.h"

static struct params base(const char *relay, const char *recipient)
{
    return (struct params){
        .smtpd_client_restrictions = "", .smtpd_helo_restrictions = "", .smtpd_sender_restrictions = "",
        .smtpd_relay_restrictions = relay, .smtpd_recipient_restrictions = recipient, .smtpd_data_restrictions = "",
        .smtpd_end_of_data_restrictions = "", .smtpd_etrn_restrictions = "", .local_recipient_maps = "",
        .virtual_alias_maps = "", .virtual_mailbox_maps = "", .relay_recipient_maps = "", .canonical_maps = "",
        .recipient_canonical_maps = "", .mynetworks = "127.0.0.0/8", .smtpd_forbid_bare_newline_exclusions = "",
        .reject_code = 554, .defer_code = 450,
    };
}

static const struct guard_row {
    const char *relay, *recipient;
    bool good;
} guards[] = {
    {"permit_mynetworks, defer_unauth_destination", "", true},
    {"", "reject_unauth_destination", true},
    {"", "permit_mynetworks, reject", true},
    {"", "", false},
    {"permit_mynetworks", "", false},
    {"permit, reject_unauth_destination", "", false},
    {"warn_if_reject reject_unauth_destination", "", false},
    {"warn_if_reject reject_unauth_destination, reject", "", true},
    {"reject_unlisted_recipient", "permit_auth_destination", false},
    {"no_such_restriction, reject", "", false},
};

static void test_guards(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(guards); i++) {
        struct params params = base(guards[i].relay, guards[i].recipient);
        struct err err;
        struct policy *p = policy_open(&params, &err);

        if ((p != NULL) != guards[i].good)
            fail_msg("relay \"%s\", recipient \"%s\": %s", guards[i].relay, guards[i].recipient, p != NULL ? "taken" : err.text);
        if (p != NULL)
            policy_close(p);
    }
}

static const struct walk_row {
    const char *list;
    enum policy_verdict verdict;
    int code, notes;
} walks[] = {
    {"reject", POLICY_REFUSE, 554, 0},
    {"defer", POLICY_REFUSE, 450, 0},
    {"permit, reject", POLICY_PERMIT, 0, 0},
    {"warn_if_reject reject, permit", POLICY_PERMIT, 0, 1},
    {"warn_if_reject reject, reject", POLICY_REFUSE, 554, 1},
    {"warn_if_reject permit_sasl_authenticated, reject", POLICY_REFUSE, 554, 0},
    {"permit_sasl_authenticated", POLICY_DUNNO, 0, 0},
};

static void test_walks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(walks); i++) {
        struct params params = base("reject", "");
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        AUTO_BUF struct buf warning = BUF_INIT(1000);
        struct policy_question q = {.client_name = S("c.example"), .client_address = S("192.0.2.1"), .arena = &arena, .by = NEVER};
        struct policy_answer a;
        struct policy *p;
        struct err err;
        int notes = 0;

        params.smtpd_client_restrictions = walks[i].list;
        p = policy_open(&params, &err);
        assert_non_null(p);
        a = policy_ask(p, POLICY_CLIENT, &q, &warning);
        for (const struct policy_note *n = a.notes; n != NULL; n = n->next)
            notes++;
        if (a.verdict != walks[i].verdict || a.code != walks[i].code || notes != walks[i].notes)
            fail_msg("%s: verdict %d, code %d, %d notes", walks[i].list, a.verdict, a.code, notes);
        policy_close(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_guards), cmocka_unit_test(test_walks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

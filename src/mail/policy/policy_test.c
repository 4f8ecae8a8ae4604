/* Which lists may be used at all, and how far warn_if_reject reaches.  No restriction here asks a table or a resolver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mail/policy/policy.h"

static struct params base(const char *relay, const char *recipient)
{
    return (struct params){
        .address_verify_service_name = "verify",
        .smtpd_client_restrictions = "",
        .smtpd_helo_restrictions = "",
        .smtpd_sender_restrictions = "",
        .smtpd_relay_restrictions = relay,
        .smtpd_recipient_restrictions = recipient,
        .smtpd_data_restrictions = "",
        .smtpd_end_of_data_restrictions = "",
        .smtpd_etrn_restrictions = "",
        .local_recipient_maps = "",
        .virtual_alias_maps = "",
        .virtual_mailbox_maps = "",
        .relay_recipient_maps = "",
        .canonical_maps = "",
        .recipient_canonical_maps = "",
        .sender_canonical_maps = "",
        .mynetworks = "127.0.0.0/8",
        .smtpd_forbid_bare_newline_exclusions = "",
        .smtpd_forbidden_commands = "CONNECT regexp:{{/^[^A-Z]/ Bogus}}",
        .smtpd_restriction_classes = "",
        .smtpd_log_access_permit_actions = "ok",
        .local_header_rewrite_clients = "permit_inet_interfaces",
        .parent_domain_matches_subdomains = "smtpd_access_maps",
        .recipient_delimiter = "",
        .reject_code = 554,
        .defer_code = 450,
        .access_map_reject_code = 554,
        .access_map_defer_code = 450,
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
    {"no_such_restriction, reject", "", true},
    {"no_such_restriction", "", false},
    {"defer_if_permit", "", true},
};

static void test_guards(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(guards); i++) {
        struct params params = base(guards[i].relay, guards[i].recipient);
        AUTO_BUF struct buf warnings = BUF_INIT(1000);
        struct err err;
        struct policy *p = policy_open(&params, &warnings, &err);

        if ((p != NULL) != guards[i].good)
            fail_msg("relay \"%s\", recipient \"%s\": %s", guards[i].relay, guards[i].recipient,
                     p != NULL ? "taken" : err.text);
        if (p != NULL)
            policy_close(p);
    }
}

static const struct walk_row {
    const char *list;
    enum policy_verdict verdict;
    int code, notes;
    const char *text; /* NULL: not looked at */
} walks[] = {
    {"reject", POLICY_REFUSE, 554, 0, "5.7.1 <c.example[192.0.2.1]>: Client host rejected: Access denied"},
    {"defer", POLICY_REFUSE, 450, 0, "4.3.2 <c.example[192.0.2.1]>: Client host rejected: Try again later"},
    {"permit, reject", POLICY_PERMIT, 0, 0, NULL},
    {"warn_if_reject reject, permit", POLICY_PERMIT, 0, 1, NULL},
    {"warn_if_reject reject, reject", POLICY_REFUSE, 554, 1, NULL},
    {"warn_if_reject permit_sasl_authenticated, reject", POLICY_REFUSE, 554, 0, NULL},
    {"permit_sasl_authenticated", POLICY_DUNNO, 0, 0, NULL},
    {"no_such_restriction", POLICY_REFUSE, 451, 0, "4.3.5 Server configuration error"},
    {"permit, no_such_restriction", POLICY_PERMIT, 0, 0, NULL},
    {"warn_if_reject no_such_restriction", POLICY_REFUSE, 451, 0, NULL},
    {"check_client_access", POLICY_REFUSE, 451, 0, "4.3.5 Server configuration error"},
    {"check_client_access nowhere", POLICY_REFUSE, 451, 0, NULL},
    {"defer_if_reject, reject", POLICY_REFUSE, 450, 0,
     "4.7.0 <c.example[192.0.2.1]>: Client host rejected: defer_if_reject requested"},
    {"inline:{c.example=reject}", POLICY_REFUSE, 554, 0, NULL},
    {"check_client_access inline:{example=reject}", POLICY_REFUSE, 554, 0, NULL},
    {"check_client_access inline:{.example=reject}", POLICY_DUNNO, 0, 0, NULL},
    {"check_client_access inline:{{192.0=REJECT no}}", POLICY_REFUSE, 554, 0,
     "5.7.1 <c.example[192.0.2.1]>: Client host rejected: no"},
    {"check_client_access inline:{c.example=dunno 192.0.2.1=reject}", POLICY_DUNNO, 0, 0, NULL},
    {"check_client_access inline:{{c.example=REJECT 4.5.6 text}}", POLICY_REFUSE, 554, 0,
     "5.5.6 <c.example[192.0.2.1]>: Client host rejected: text"},
    {"check_client_access inline:{{c.example=550 5.1.1 text}}", POLICY_REFUSE, 550, 1,
     "5.0.0 <c.example[192.0.2.1]>: Client host rejected: text"},
    {"check_client_access inline:{c.example=450}", POLICY_PERMIT, 0, 0, NULL},
    {"check_client_access inline:{c.example=OK}", POLICY_PERMIT, 0, 1, NULL},
    {"defer_if_permit, defer_if_reject, reject", POLICY_REFUSE, 450, 0, NULL},
    {"warn_if_reject defer_if_permit", POLICY_DUNNO, 0, 1, NULL},
    {"check_client_access inline:{{c.example=450 x}}", POLICY_REFUSE, 450, 0, NULL},
    {"check_client_access inline:{{c.example=600 x}}", POLICY_REFUSE, 451, 0, NULL},
    {"check_client_access inline:{c.example=defer}", POLICY_REFUSE, 450, 0,
     "4.7.1 <c.example[192.0.2.1]>: Client host rejected: Access denied"},
    {"check_client_access inline:{{c.example=WARN x}}, reject", POLICY_REFUSE, 554, 1, NULL},
    {"check_client_access inline:{c.example=hold}, reject", POLICY_REFUSE, 554, 1, NULL},
    {"check_client_access inline:{c.example=discard}, reject", POLICY_DISCARD, 0, 1, NULL},
    {"check_client_access inline:{c.example=filter}, reject", POLICY_REFUSE, 554, 0, NULL},
    {"check_client_access inline:{{c.example=FILTER smtp:x}}", POLICY_DUNNO, 0, 1, NULL},
    {"check_client_access inline:{{c.example=PREPEND x}}", POLICY_DUNNO, 0, 0, NULL},
    {"check_client_access inline:{{c.example=PREPEND X-A: b}}", POLICY_DUNNO, 0, 1, NULL},
    {"check_client_access inline:{{c.example=check_client_access static:reject}}", POLICY_REFUSE, 451, 0, NULL},
    {"check_client_access inline:{{c.example=permit_sasl_authenticated, reject}}", POLICY_REFUSE, 554, 0, NULL},
};

static void test_walks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(walks); i++) {
        struct params params = base("reject", "");
        AUTO_ARENA struct arena arena = ARENA_INIT(100000);
        AUTO_BUF struct buf warning = BUF_INIT(1000);
        struct policy_question q = {
            .client_name = S("c.example"), .client_address = S("192.0.2.1"), .arena = &arena, .by = NEVER};
        struct policy_answer a;
        struct policy *p;
        struct err err;
        int notes = 0;

        params.smtpd_client_restrictions = walks[i].list;
        p = policy_open(&params, &warning, &err);
        assert_non_null(p);
        a = policy_ask(p, POLICY_CLIENT, &q, &warning);
        for (const struct policy_note *n = a.notes; n != NULL; n = n->next)
            notes++;
        if (a.verdict != walks[i].verdict || a.code != walks[i].code || notes != walks[i].notes)
            fail_msg("%s: verdict %d, code %d, %d notes", walks[i].list, a.verdict, a.code, notes);
        if (walks[i].text != NULL) {
            char dsn[DSN_CODE_TEXT];
            slice all;

            dsn_code_print(a.dsn, dsn);
            assert_true(arena_printf(&arena, &all, "%s %.*s", dsn, S_ARG(a.text)));
            if (!slice_eq(all, slice_text(walks[i].text)))
                fail_msg("%s: %.*s", walks[i].list, S_ARG(all));
        }
        policy_close(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_guards), cmocka_unit_test(test_walks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>

#include "mail/index/mentions.h"

static struct index_entry *put(struct index *ix, enum index_queue queue, const char *id, int64_t due_us, uint64_t inode)
{
    return index_put(ix, queue, slice_text(id), &(struct index_file){inode, 100, due_us, false}, due_us);
}

static void in_order_of_time(void **state)
{
    struct index ix;

    (void)state;
    index_init(&ix);
    assert_null(index_first_due(&ix));
    assert_null(index_find(&ix, S("A")));
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    put(&ix, INDEX_DEFERRED, "B", 10, 2);
    put(&ix, INDEX_DEFERRED, "C", 20, 3);
    put(&ix, INDEX_HOLD, "D", 5, 4);
    assert_true(slice_eq(index_id(index_first_due(&ix)), S("B")));
    put(&ix, INDEX_DEFERRED, "B", 40, 2);
    assert_true(slice_eq(index_id(index_first_due(&ix)), S("C")));
    put(&ix, INDEX_HOLD, "C", 20, 3);
    assert_true(slice_eq(index_id(index_first_due(&ix)), S("A")));
    index_remove(&ix, S("C"));
    index_remove(&ix, S("nobody"));
    put(&ix, INDEX_DEFERRED, "D", 5, 4);
    assert_true(slice_eq(index_id(index_first_due(&ix)), S("D")));
    assert_int_equal(ix.counts[INDEX_DEFERRED], 3);
    assert_int_equal(ix.counts[INDEX_HOLD], 0);
    assert_int_equal(ix.count, 3);
    index_done(&ix);
}

static void sweep(struct index *ix)
{
    for (enum index_queue queue = 0; queue < INDEX_QUEUES; queue++) {
        struct index_cursor cursor;
        struct index_entry *e;

        index_cursor_begin(ix, queue, &cursor);
        while ((e = index_cursor_next(&cursor)) != NULL)
            if (!index_was_seen(ix, e))
                index_drop(ix, e);
        index_cursor_end(&cursor);
    }
}

static void a_scan_drops_what_is_gone(void **state)
{
    struct index ix;

    (void)state;
    index_init(&ix);
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    put(&ix, INDEX_DEFERRED, "B", 10, 2);
    put(&ix, INDEX_HOLD, "H", 10, 2);
    index_scan_begin(&ix);
    assert_true(index_seen(&ix, INDEX_DEFERRED, S("A")));
    assert_false(index_seen(&ix, INDEX_DEFERRED, S("C")));
    assert_false(index_seen(&ix, INDEX_DEFERRED, S("H")));
    put(&ix, INDEX_DEFERRED, "D", 5, 2); /* deferred while the scan went on */
    sweep(&ix);
    assert_int_equal(ix.count, 2);
    assert_null(index_find(&ix, S("B")));
    assert_null(index_find(&ix, S("H")));
    assert_non_null(index_find(&ix, S("D")));
    for (int i = 0; i < 300; i++) { /* scan numbers wrap */
        index_scan_begin(&ix);
        assert_true(index_seen(&ix, INDEX_DEFERRED, S("A")));
        assert_true(index_seen(&ix, INDEX_DEFERRED, S("D")));
        sweep(&ix);
    }
    assert_int_equal(ix.count, 2);
    index_done(&ix);
}

/* ---- details ---- */

static void learn(struct index *ix, const char *id, const char *sender, const char *const *recipients, size_t count)
{
    struct shown_recipient list[DETAILS_MOST_RECIPIENTS + 1];
    struct shown m = {
        .arrival_s = 7, .message_bytes = 8, .sender = slice_text(sender), .recipients = list, .count = count};

    for (size_t i = 0; i < count; i++)
        list[i] = (struct shown_recipient){slice_text(recipients[i]), S("no route")};
    index_learn(ix, index_find(ix, slice_text(id)), &m);
}

static size_t mentions_of(const struct index *ix, const char *domain)
{
    size_t count = 0;

    for (const struct interned *t = NULL; (t = interned_domain(&ix->texts, slice_text(domain), t)) != NULL;)
        LIST_EACH (each, &t->mentions)
            count += details_of(LIST_ENTRY(each, struct mention, same_domain))->entry->id_bytes;
    return count;
}

static void details_come_and_go(void **state)
{
    static const char *const one[] = {"a@x.example", "b@X.example", "c@x.example", "nobody", ""};
    struct index ix;
    const struct details *d;

    (void)state;
    index_init(&ix);
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    put(&ix, INDEX_DEFERRED, "B", 30, 2);
    assert_true(slice_eq(index_id(index_take_wanted(&ix)), S("A")));
    assert_true(slice_eq(index_id(index_take_wanted(&ix)), S("B")));
    assert_null(index_take_wanted(&ix));
    learn(&ix, "A", "me@here.example", one, COUNT_OF(one));
    learn(&ix, "B", "", one, 1);
    assert_int_equal(ix.known, 2);
    assert_int_equal(ix.texts.count, 4); /* x, X, here, and the reason */
    d = index_find(&ix, S("A"))->details;
    assert_true(slice_eq(details_sender(d), S("me")));
    assert_true(details_is_address(S("b@x.EXAMPLE"), S("b"), d->mentions[1].domain));
    assert_false(details_is_address(S("B@x.example"), S("b"), d->mentions[1].domain));
    assert_true(details_is_address(S("nobody"), S("nobody"), d->mentions[3].domain));
    assert_false(details_is_address(S("nobody@"), S("nobody"), d->mentions[3].domain));
    assert_int_equal(mentions_of(&ix, "x.Example"), 3); /* A under two spellings, B */
    put(&ix, INDEX_HOLD, "A", 30, 1);
    assert_int_equal(index_find(&ix, S("A"))->state, INDEX_KNOWN);
    put(&ix, INDEX_HOLD, "A", 31, 1); /* its file has changed */
    assert_int_equal(index_find(&ix, S("A"))->state, INDEX_WANTED);
    assert_int_equal(mentions_of(&ix, "x.example"), 1);
    index_remove(&ix, S("B"));
    assert_int_equal(ix.texts.count, 0);
    index_learn(&ix, index_find(&ix, S("A")), NULL);
    assert_int_equal(index_find(&ix, S("A"))->state, INDEX_UNREAD);
    assert_null(index_take_wanted(&ix));
    index_done(&ix);
}

/* Its file may have been looked for where it was. */
static void what_moves_while_it_is_read_is_read_again(void **state)
{
    static const char *const one[] = {"a@x.example"};
    struct index ix;

    (void)state;
    index_init(&ix);
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    assert_non_null(index_take_wanted(&ix));
    put(&ix, INDEX_HOLD, "A", 30, 1);
    assert_int_equal(index_find(&ix, S("A"))->state, INDEX_WANTED);
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    assert_non_null(index_take_wanted(&ix));
    assert_null(index_take_wanted(&ix));
    index_learn(&ix, index_find(&ix, S("A")), NULL); /* not found, before the move is heard of */
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    assert_int_equal(index_find(&ix, S("A"))->state, INDEX_UNREAD);
    put(&ix, INDEX_HOLD, "A", 30, 1);
    assert_non_null(index_take_wanted(&ix));
    learn(&ix, "A", "", one, 1);
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    assert_int_equal(index_find(&ix, S("A"))->state, INDEX_KNOWN);
    index_done(&ix);
}

static void too_much_is_not_kept(void **state)
{
    const char *many[DETAILS_MOST_RECIPIENTS + 1];
    struct index ix;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = "somebody@x.example";
    index_init(&ix);
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    learn(&ix, "A", "", many, DETAILS_MOST_RECIPIENTS);
    assert_int_equal(index_find(&ix, S("A"))->state, INDEX_KNOWN);
    learn(&ix, "A", "", many, DETAILS_MOST_RECIPIENTS + 1);
    assert_int_equal(index_find(&ix, S("A"))->state, INDEX_UNREAD);
    assert_int_equal(ix.texts.count, 0);
    index_done(&ix);
}

/* ---- cursors ---- */

static void a_cursor_meets_all_that_stays(void **state)
{
    struct index_cursor one, other;
    struct index ix;

    (void)state;
    index_init(&ix);
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    put(&ix, INDEX_DEFERRED, "B", 30, 2);
    put(&ix, INDEX_DEFERRED, "C", 30, 3);
    index_cursor_begin(&ix, INDEX_DEFERRED, &one);
    assert_true(slice_eq(index_id(index_cursor_next(&one)), S("A")));
    index_cursor_begin(&ix, INDEX_DEFERRED, &other);
    index_remove(&ix, S("A"));
    index_remove(&ix, S("B"));
    put(&ix, INDEX_DEFERRED, "A", 30, 1); /* behind the end of both */
    assert_true(slice_eq(index_id(index_cursor_next(&one)), S("C")));
    put(&ix, INDEX_DEFERRED, "C", 31, 3);
    assert_null(index_cursor_next(&one));
    assert_true(slice_eq(index_id(index_cursor_next(&other)), S("C")));
    index_cursor_end(&one);
    assert_null(index_cursor_next(&other));
    index_cursor_end(&other);
    index_done(&ix);
}

static void the_messages_for_a_domain(void **state)
{
    static const char *const both[] = {"a@x.example", "b@X.example"}, *const one[] = {"c@X.EXAMPLE"},
                             *const no[] = {"d@y.example"};
    struct index_mentions m, other;
    size_t count = 0;
    struct index ix;

    (void)state;
    index_init(&ix);
    put(&ix, INDEX_DEFERRED, "A", 30, 1);
    put(&ix, INDEX_HOLD, "B", 30, 2);
    put(&ix, INDEX_DEFERRED, "C", 30, 3);
    learn(&ix, "A", "", both, 2);
    learn(&ix, "B", "", one, 1);
    learn(&ix, "C", "", no, 1);
    assert_true(index_is_complete(&ix));
    index_mentions_begin(&ix, S("nowhere.example"), &m);
    assert_null(index_mentions_next(&m));
    index_mentions_end(&m);
    for (index_mentions_begin(&ix, S("x.Example"), &m); index_mentions_next(&m) != NULL;)
        count++;
    index_mentions_end(&m);
    assert_int_equal(count, 2);
    index_mentions_begin(&ix, S("x.Example"), &m);
    index_mentions_begin(&ix, S("x.example"), &other);
    assert_non_null(index_mentions_next(&m));
    index_remove(&ix, S("A"));
    index_remove(&ix, S("B")); /* the domain's last user but for the two cursors */
    assert_null(index_mentions_next(&m));
    index_mentions_end(&m);
    assert_null(index_mentions_next(&other));
    index_mentions_end(&other);
    index_done(&ix);
}

static size_t bytes_in_use(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

/* As they are at a site whose mail waits for thousands of other sites. */
static void a_million_fits(void **state)
{
    enum { MANY = 1000000 };
    size_t before = bytes_in_use(), tier_1;
    struct index ix;

    (void)state;
    index_init(&ix);
    for (unsigned i = 0; i < MANY; i++) {
        char id[32];

        (void)snprintf(id, sizeof id, "%05X%lX", i * 7919 % 1000000, 0xA0000000ul + i);
        put(&ix, INDEX_DEFERRED, id, (int64_t)(i * 2654435761u), i);
    }
    tier_1 = bytes_in_use() - before;
    for (unsigned i = 0; i < MANY; i++) {
        char address[64], reason[100];
        struct shown_recipient r;
        struct shown m = {.arrival_s = 1, .sender = S("newsletter@sender.example"), .recipients = &r, .count = 1};

        r.address =
            slice_of(address, (size_t)snprintf(address, sizeof address, "first.last%u@place%u.example", i, i % 20000));
        r.reason = slice_of(
            reason, (size_t)snprintf(reason, sizeof reason,
                                     "connect to mx.place%u.example[192.0.2.1]:25: Connection timed out", i % 20000));
        index_learn(&ix, index_take_wanted(&ix), &m);
    }
    print_message("tier 1: %.1f bytes, tiers 1 and 2: %.1f bytes a message\n", (double)tier_1 / MANY,
                  (double)(bytes_in_use() - before) / MANY);
    assert_int_equal(ix.known, MANY);
    assert_true(bytes_in_use() - before < (size_t)350 * MANY);
    for (int64_t last = -1; ix.count > MANY - 1000;) {
        assert_true(index_first_due(&ix)->due.key >= last);
        last = index_first_due(&ix)->due.key;
        index_drop(&ix, index_first_due(&ix));
    }
    index_done(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_of_time),
        cmocka_unit_test(a_scan_drops_what_is_gone),
        cmocka_unit_test(details_come_and_go),
        cmocka_unit_test(what_moves_while_it_is_read_is_read_again),
        cmocka_unit_test(too_much_is_not_kept),
        cmocka_unit_test(a_cursor_meets_all_that_stays),
        cmocka_unit_test(the_messages_for_a_domain),
        cmocka_unit_test(a_million_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

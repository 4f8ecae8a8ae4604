/* Which mounts are a file system of one's own. */
#include "mail/queue/own_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEAD "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
#define WHOLE "40 22 7:1 / /var/spool/postfix rw,relatime - ext4 /dev/loop1 rw\n"
#define PART "41 22 254:0 /var/lib/docker/volumes/mail/_data /var/spool/postfix rw - ext4 /dev/vda rw\n"
#define SUBVOLUME "42 22 0:33 /@mail /var/spool/postfix rw shared:7 - btrfs /dev/vdb rw\n"

static const struct row {
    const char *mounts;
    bool own;
} rows[] = {
    {HEAD WHOLE, true},
    {HEAD PART, false},
    {HEAD SUBVOLUME, false},
    {HEAD WHOLE PART, false}, /* the last is on top */
    {HEAD PART WHOLE, true},
    {HEAD, false},
    {"", false},
    {"40 22 7:1 / /var/spool/postfix", true}, /* cut off */
    {"40 22 7:1 /", false},
    {"40 22 7:1 / /var/spool/postfix/active rw - ext4 /dev/loop1 rw\n", false},
};

static void test_rows(void **state)
{
    (void)state;
    for (const struct row *r = rows; r < rows + sizeof rows / sizeof *rows; r++)
        assert_int_equal(own_disk_is_mounted(slice_text(r->mounts), S("/var/spool/postfix")), r->own);
    assert_false(own_disk_flushes("/proc"));
    assert_false(own_disk_flushes("/no/such/place"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

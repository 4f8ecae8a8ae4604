/* Any bytes as a queue file: reading ends, stays inside its memory cap, and portions add up to the whole. */
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/file.h"
#include "mail/queue/envelope_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct sum {
    int count;
    uint64_t hash;
};

static bool add(void *context, const struct recipient *r, bool done)
{
    struct sum *sum = context;

    BUG_IF(r->offset < 0);
    sum->count++;
    sum->hash = sum->hash * 31 + (uint64_t)r->offset + r->address.n + done;
    return sum->count < 10000;
}

static void read_records(int fd, bool follow)
{
    AUTO_QUEUE_READER struct queue_reader *r = NULL;
    enum record_got got;
    struct err err;
    int64_t offset;
    slice data;
    int type;

    BUG_IF(lseek(fd, 0, SEEK_SET) != 0);
    r = queue_reader_open(fd, "file", 0);
    queue_reader_follow(r, follow);
    for (int count = 0; (got = queue_reader_next(r, &type, &data, &offset, &err)) == RECORD_READ; count++)
        if (count > 100000) /* a loop that the jump limit allows */
            return;
    BUG_IF(got == RECORD_BAD && (err.kind != ERR_CORRUPT || err.text[0] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    AUTO_FD int fd = memfd_create("file", MFD_CLOEXEC);
    struct arena arena;
    struct sum whole = {0}, parts = {0};
    struct envelope_cursor c;
    struct envelope e;
    struct err err;

    if (n > 1u << 20 || fd < 0 || !file_write_all(fd, slice_of(bytes, n), &err))
        return 0;
    arena_init(&arena, 1u << 20);
    read_records(fd, true);
    read_records(fd, false);
    (void)!envelope_read_loose(fd, "file", &arena, 1u << 20, NULL, NULL, &e, &c, &err);
    if (envelope_read(fd, "file", &arena, 1u << 20, add, &whole, &e, &c, &err)) {
        arena_reset(&arena);
        bool ok = envelope_read(fd, "file", &arena, 2, add, &parts, &e, &c, &err);
        for (int i = 0; ok && c.next_offset != 0 && i < 10000; i++)
            ok = envelope_read_more(fd, "file", &arena, 2, add, &parts, &c, &err);
        /* Flags may lie about recipients mixed with other records; then portions may miss what is damaged later. */
        BUG_IF(ok && whole.count < 10000 && parts.count > whole.count);
    }
    arena_done(&arena);
    return 0;
}

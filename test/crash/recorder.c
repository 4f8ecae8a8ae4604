/* recorder IMAGE LOG FOLDER [FLUSH_US] - FOLDER/image is IMAGE, and every write and flush of it is recorded in LOG.
 *
 * LOG is a row of records: struct record, then LENGTH bytes of data.  Requests are served one by one, so that their order
 * in LOG is the order in which a disk may have seen them: what stands before a flush was on the disk when the flush was
 * answered; what stands after the last one may have reached it or not.  Ends when FOLDER is unmounted.
 * While there is a file LOG.broken, whatever has never been written before fails with EIO.  A flush takes FLUSH_US
 * microseconds, in which nothing else is served: with /dev/null as LOG this is just a slow disk. */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { RECORD_WRITE = 'W', RECORD_FLUSH = 'F' };

struct record {
    uint64_t kind, offset, length;
};

static int image, record_log;
static useconds_t flush_us;
static const char name[] = "/image";
static char broken[4096];

/* A record that is not whole would make the rest of the log senseless. */
static int record(uint64_t kind, uint64_t offset, const void *data, uint64_t length)
{
    struct record head = {kind, offset, length};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)data, length}};

    return writev(record_log, parts, length > 0 ? 2 : 1) == (ssize_t)(sizeof head + length) ? 0 : -EIO;
}

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *file)
{
    (void)file;
    if (strcmp(path, "/") == 0) {
        *st = (struct stat){.st_mode = S_IFDIR | 0755, .st_nlink = 2};
        return 0;
    }
    return strcmp(path, name) != 0 ? -ENOENT : fstat(image, st) != 0 ? -errno : 0;
}

/* The kernel keeps nothing of the file: reads and writes come here at once. */
static int open_image(const char *path, struct fuse_file_info *file)
{
    file->direct_io = 1;
    return strcmp(path, name) == 0 ? 0 : -ENOENT;
}

static int read_image(const char *path, char *to, size_t size, off_t offset, struct fuse_file_info *file)
{
    ssize_t n = pread(image, to, size, offset);

    (void)path;
    (void)file;
    return n < 0 ? -errno : (int)n;
}

static bool is_hole(off_t offset, size_t size)
{
    off_t data = lseek(image, offset, SEEK_DATA);

    return data < 0 || data >= offset + (off_t)size;
}

static int write_image(const char *path, const char *from, size_t size, off_t offset, struct fuse_file_info *file)
{
    (void)path;
    (void)file;
    if (access(broken, F_OK) == 0 && is_hole(offset, size))
        return -EIO;
    if (pwrite(image, from, size, offset) != (ssize_t)size)
        return -EIO;
    return record(RECORD_WRITE, (uint64_t)offset, from, size) != 0 ? -EIO : (int)size;
}

static int flush_image(const char *path, int data_only, struct fuse_file_info *file)
{
    (void)path;
    (void)data_only;
    (void)file;
    (void)usleep(flush_us);
    return record(RECORD_FLUSH, 0, NULL, 0);
}

int main(int argc, char **argv)
{
    static const struct fuse_operations operations = {
        .getattr = get_attributes, .open = open_image, .read = read_image, .write = write_image, .fsync = flush_image,
    };
    char *arguments[] = {argv[0], "-f", "-s", argv[argc < 4 ? 0 : 3], NULL};

    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: recorder IMAGE LOG FOLDER [FLUSH_US]\n");
        return 2;
    }
    if (argc == 5)
        flush_us = (useconds_t)atoi(argv[4]);
    (void)snprintf(broken, sizeof broken, "%s.broken", argv[2]);
    image = open(argv[1], O_RDWR | O_CLOEXEC);
    record_log = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (image < 0 || record_log < 0) {
        perror(argv[image < 0 ? 1 : 2]);
        return 1;
    }
    return fuse_main(4, arguments, &operations, NULL);
}

/* bench/floor.c - what the file system takes by itself when all deferred messages are held, released or deleted: one rename each,
 * or an unlink of the message and one of its log, in the order of inodes.
 *
 * floor hold|release|delete in a queue directory, where deferred/ and defer/ have a folder for each first letter.  Prints seconds. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct name {
    ino_t inode;
    char id[32];
};

static struct name *names;
static size_t count, room;

static void read_names(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name);

        if (n < 6 || n >= sizeof names->id)
            continue;
        if (count == room) {
            room = room == 0 ? 1000 : 2 * room;
            names = realloc(names, room * sizeof *names);
            if (names == NULL)
                abort();
        }
        names[count].inode = entry->d_ino;
        memcpy(names[count++].id, entry->d_name, n + 1);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

static int compare(const void *one, const void *other)
{
    ino_t a = ((const struct name *)one)->inode, b = ((const struct name *)other)->inode;

    return (a > b) - (a < b);
}

static int act(const char *what, const char *id)
{
    char deferred[64], hold[64], log[64];

    (void)snprintf(deferred, sizeof deferred, "deferred/%c/%s", id[0], id);
    (void)snprintf(hold, sizeof hold, "hold/%s", id);
    (void)snprintf(log, sizeof log, "defer/%c/%s", id[0], id);
    if (strcmp(what, "hold") == 0)
        return rename(deferred, hold);
    if (strcmp(what, "release") == 0)
        return rename(hold, deferred);
    return unlink(deferred) | unlink(log);
}

int main(int argc, char **argv)
{
    struct timespec began, ended;
    char folder[] = "deferred/0";
    int failed = 0;

    if (argc != 2)
        return 2;
    (void)clock_gettime(CLOCK_MONOTONIC, &began);
    for (const char *letter = "0123456789ABCDEF"; *letter != '\0'; letter++) {
        folder[9] = *letter;
        read_names(folder);
    }
    if (strcmp(argv[1], "release") == 0) {
        count = 0;
        read_names("hold");
    }
    qsort(names, count, sizeof *names, compare);
    for (size_t i = 0; i < count; i++)
        failed |= act(argv[1], names[i].id);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%.3f\n", (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
    return failed != 0 || count == 0;
}

/* fuzz/replay_main.c - runs a fuzzer over files and folders given as arguments, once each: the corpora as a test. */
#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>

#include "core/base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    AUTO_BUF struct buf content = BUF_INIT(64U << 20);
    struct err err;

    if (!file_read_path(path, &content, &err)) {
        (void)fprintf(stderr, "replay: %s\n", err.text);
        return 1;
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)buf_text(&content), content.n);
    return 0;
}

static int replay_folder(const char *path, int *files)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int bad = 0;

    if (dir == NULL) {
        perror(path);
        return 1;
    }
    while ((entry = readdir(dir)) != NULL) {
        char name[2048];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        bad |= replay_file(name);
        ++*files;
    }
    (void)closedir(dir);
    return bad;
}

int main(int argc, char **argv)
{
    int files = 0, bad = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            bad |= replay_folder(argv[i], &files);
        } else {
            bad |= replay_file(argv[i]);
            files++;
        }
    }
    (void)printf("replayed %d inputs\n", files);
    return bad || files == 0;
}

/* postlogd(8) - log lines by datagram into a file. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "mail/events/events.h"
#include "mail/service/service.h"

enum { LINE_MOST = 4096, TIME_BYTES = 16 /* "Mmm dd hh:mm:ss " */ };

static int log_fd = -1; /* the file, or standard output; else the process's own log, which is syslog, takes the lines */
static char line_room[LINE_MOST + 1], packet_room[LINE_MOST + 64];

/* PATH is PREFIX or lies below it. */
static bool is_below(slice path, slice prefix)
{
    while (prefix.n > 1 && prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    return slice_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
}

static bool is_allowed(slice path, slice prefixes)
{
    struct err err;
    slice prefix;
    bool braced;

    if (slice_find_slice(path, S("/../")) != SLICE_NONE || slice_ends(path, S("/..")))
        return false;
    while (conf_next_item(&prefixes, ", \t\r\n", &prefix, &braced, &err) == CONF_ITEM)
        if (is_below(path, prefix))
            return true;
    return false;
}

static bool pre_start(struct service_run *run, struct err *err)
{
    const char *path = run->params->maillog_file;

    if (path[0] == '\0')
        return true;
    if (!is_allowed(slice_text(path), slice_text(run->params->maillog_file_prefixes)))
        return err_set(err, ERR_CONFIG, "maillog_file value '%.200s' does not match any prefix in maillog_file_prefixes",
                       path);
    log_fd = strcmp(path, "/dev/stdout") == 0 ? STDOUT_FILENO
                                              : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    return log_fd >= 0 || err_sys(err, "open logfile '%.200s'", path);
}

/* syslogd writes time and host itself. */
static void send_to_syslog(slice line)
{
    char now[TIME_BYTES];
    slice rest = slice_skip(line, TIME_BYTES);
    size_t blank = slice_find(rest, ' ');
    int n;

    log_print_time(clock_wall_us(), now);
    n = snprintf(packet_room, sizeof packet_room, "<22>%s %.*s", now,
                 S_ARG(blank == SLICE_NONE ? line : slice_skip(rest, blank + 1)));
    if (n > 0)
        event_packet(slice_of(packet_room, (size_t)n < sizeof packet_room ? (size_t)n : sizeof packet_room - 1));
}

/* One line, whatever the packet holds. */
static void datagram(slice packet)
{
    char *line = line_room;
    size_t n;

    while (packet.n > 0 && (packet.p[packet.n - 1] == '\n' || packet.p[packet.n - 1] == '\0'))
        packet.n--;
    n = packet.n < LINE_MOST ? packet.n : LINE_MOST;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)packet.p[i];

        line[i] = (c < ' ' && c != '\t') || c == 127 ? '?' : (char)c;
    }
    if (log_fd < 0) {
        send_to_syslog(slice_of(line, n));
        return;
    }
    line[n++] = '\n';
    while (write(log_fd, line, n) < 0 && errno == EINTR)
        ;
}

int main(int argc, char **argv)
{
    static const struct service postlogd = {
        .name = "postlogd",
        .instances = SERVICE_ONE,
        .flags = SERVICE_NEVER_IDLES,
        .pre_start = pre_start,
        .datagram = datagram,
    };

    return service_main(&postlogd, argc, argv);
}

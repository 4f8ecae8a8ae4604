/* load [-s SESSIONS] [-m MESSAGES] [-d] [-l BYTES] [-r RECIPIENTS] [-f SENDER] [-t RECIPIENT,...] [-P] [-g N] ADDRESS PORT
 * load -p SESSIONS [-g N] ADDRESS PORT
 *
 * Sends MESSAGES of BYTES bytes in SESSIONS sessions at a time, one message per session, or many with -d.  Message N
 * goes to the Nth of the recipients given, and round again; with -r to that many, "1RECIPIENT", "2RECIPIENT" ....
 * Each command waits for its answer; with -P MAIL, RCPT and DATA go together.  At most N sessions at a time wait for
 * their greeting: a server with a short backlog drops more, and they come again after a second.  Prints, as JSON, the
 * seconds until the last answer, the messages accepted and refused, and its own CPU seconds.
 *
 * With -p it opens that many sessions, greets with EHLO, and leaves them alone.  Prints how many it has as soon as all
 * are there or nothing has happened for five seconds.  For each line that it then reads it prints the microseconds
 * until a newcomer is greeted, or -1 when that took longer than five seconds.  Ends with its input.
 *
 * One process, one thread, epoll. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ADDRESSES = 64, QUIET_MS = 5000, LINE = 1024 };

enum stage { GREETING, EHLO, MAIL, RCPT, DATA, BODY, QUIT, PARKED };

struct session {
    int fd;
    enum stage stage; /* what it waits for the answer to */
    int message, recipient, owed; /* OWED: answers to come before the one that counts */
    size_t sent, have;
    char line[LINE];
};

static struct {
    struct sockaddr_in to;
    int sessions, messages, recipients, addresses, most_ungreeted;
    bool many, pipelined, park;
    const char *sender, *address[MOST_ADDRESSES];
    char *body;
    size_t size;
} is = {.sessions = 1, .messages = 1, .recipients = 1, .most_ungreeted = 50, .sender = "carol@mx.test.invalid", .size = 4096};

static struct {
    int epoll, open, begun, ungreeted, accepted, parked, failed;
} now;

_Noreturn static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t clock_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- one session */

static void watch(struct session *s, int how, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};

    if (epoll_ctl(now.epoll, how, s->fd, &e) != 0)
        die("epoll_ctl");
}

static void begin(struct session *s)
{
    int on = 1;

    *s = (struct session){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .message = now.begun};
    if (s->fd < 0)
        die("socket");
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(s->fd, (const struct sockaddr *)&is.to, sizeof is.to) != 0 && errno != EINPROGRESS)
        die("connect");
    now.begun++;
    now.open++;
    now.ungreeted++;
    watch(s, EPOLL_CTL_ADD, EPOLLIN);
}

static void end(struct session *s)
{
    now.ungreeted -= s->stage == GREETING;
    (void)close(s->fd);
    s->fd = -1;
    now.open--;
}

/* Commands are short: they always fit. */
static void command(struct session *s, const char *text, size_t n)
{
    if (send(s->fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
        die("send a command");
}

/* Says MESSAGE's recipient RECIPIENT, of which the first is 0, into TEXT. */
static int rcpt(char *text, size_t size, int message, int recipient)
{
    const char *address = is.address[message % is.addresses];

    return is.recipients == 1 ? snprintf(text, size, "RCPT TO:<%s>\r\n", address)
                              : snprintf(text, size, "RCPT TO:<%d%s>\r\n", recipient + 1, address);
}

static void say(struct session *s, enum stage stage)
{
    char text[LINE];
    int n = 0;

    s->stage = stage;
    s->owed = 0;
    switch (stage) {
    case EHLO:
        n = snprintf(text, sizeof text, "EHLO load.example\r\n");
        break;
    case MAIL:
        n = snprintf(text, sizeof text, "MAIL FROM:<%s>\r\n", is.sender);
        if (is.pipelined && is.recipients == 1) {
            n += rcpt(text + n, sizeof text - (size_t)n, s->message, 0);
            n += snprintf(text + n, sizeof text - (size_t)n, "DATA\r\n");
            s->stage = DATA;
            s->owed = 2;
        }
        break;
    case RCPT:
        n = rcpt(text, sizeof text, s->message, s->recipient++);
        break;
    case DATA:
        n = snprintf(text, sizeof text, "DATA\r\n");
        break;
    case QUIT:
        n = snprintf(text, sizeof text, "QUIT\r\n");
        break;
    default:
        return;
    }
    command(s, text, (size_t)n);
}

static void send_body(struct session *s)
{
    while (s->sent < is.size) {
        ssize_t n = send(s->fd, is.body + s->sent, is.size - s->sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            watch(s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0)
            die("send a message");
        s->sent += (size_t)n;
    }
    watch(s, EPOLL_CTL_MOD, EPOLLIN);
}

static void next_message(struct session *s)
{
    s->recipient = 0;
    s->sent = 0;
    say(s, MAIL);
}

/* The answer to what STAGE said was GOOD or not. */
static void answered(struct session *s, bool good)
{
    if (!good && s->stage != QUIT) {
        now.failed++;
        fprintf(stderr, "load: %.*s\n", (int)strcspn(s->line, "\r\n"), s->line);
        end(s);
        return;
    }
    switch (s->stage) {
    case GREETING:
        now.ungreeted--;
        say(s, EHLO);
        break;
    case EHLO:
        if (is.park) {
            s->stage = PARKED;
            now.parked++;
        } else {
            next_message(s);
        }
        break;
    case MAIL:
        say(s, RCPT);
        break;
    case RCPT:
        say(s, s->recipient < is.recipients ? RCPT : DATA);
        break;
    case DATA:
        s->stage = BODY;
        send_body(s);
        break;
    case BODY:
        now.accepted++;
        if (is.many && now.begun < is.messages) {
            s->message = now.begun++;
            next_message(s);
        } else {
            say(s, QUIT);
        }
        break;
    case QUIT:
    case PARKED:
        end(s);
        break;
    }
}

/* One whole line of an answer. */
static void line_read(struct session *s)
{
    if (s->line[3] == '-')
        return;
    if (s->owed > 0 && s->line[0] == '2')
        s->owed--;
    else
        answered(s, s->line[0] == '2' || s->line[0] == '3');
}

static void readable(struct session *s)
{
    ssize_t n = recv(s->fd, s->line + s->have, sizeof s->line - s->have, 0);
    char *newline;

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        now.failed += s->stage != QUIT;
        end(s);
        return;
    }
    s->have += (size_t)n;
    while (s->fd >= 0 && (newline = memchr(s->line, '\n', s->have)) != NULL) {
        size_t length = (size_t)(newline - s->line) + 1;

        line_read(s);
        s->have -= length;
        memmove(s->line, s->line + length, s->have);
    }
    if (s->have == sizeof s->line) {
        fprintf(stderr, "load: an answer has no end\n");
        exit(1);
    }
}

static int events(int wait_ms)
{
    struct epoll_event ready[256];
    int n = epoll_wait(now.epoll, ready, 256, wait_ms);

    for (int i = 0; i < n; i++) {
        struct session *s = ready[i].data.ptr;

        if (s->fd >= 0 && (ready[i].events & EPOLLOUT) != 0 && s->stage == BODY)
            send_body(s);
        if (s->fd >= 0 && (ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
            readable(s);
    }
    return n;
}

/* ---- both ways of use */

static double own_cpu(void)
{
    struct rusage used;

    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static int send_all(struct session *all)
{
    int64_t began = clock_us();

    while (now.accepted + now.failed < is.messages || now.open > 0) {
        for (int i = 0; i < is.sessions && now.begun < is.messages && now.ungreeted < is.most_ungreeted; i++)
            if (all[i].fd < 0)
                begin(&all[i]);
        if (events(60000) <= 0) {
            fprintf(stderr, "load: nothing happened for a minute; %d of %d accepted\n", now.accepted, is.messages);
            return 1;
        }
    }
    printf("{\"seconds\": %.6f, \"accepted\": %d, \"refused\": %d, \"cpu_s\": %.6f}\n",
           (double)(clock_us() - began) / 1e6, now.accepted, now.failed, own_cpu());
    return now.failed > 0;
}

/* Microseconds until a newcomer is greeted; -1: too late. */
static int64_t greeting_us(void)
{
    struct timeval patience = {.tv_sec = QUIET_MS / 1000};
    int64_t began = clock_us();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[LINE];
    bool greeted;

    if (fd < 0)
        die("socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    greeted = connect(fd, (const struct sockaddr *)&is.to, sizeof is.to) == 0 && recv(fd, text, sizeof text, 0) > 3 &&
              strncmp(text, "220", 3) == 0;
    (void)close(fd);
    return greeted ? clock_us() - began : -1;
}

static int park_all(struct session *all)
{
    char line[LINE];

    while (now.parked + now.failed < is.sessions) {
        while (now.begun < is.sessions && now.ungreeted < is.most_ungreeted)
            begin(&all[now.begun]);
        if (events(QUIET_MS) <= 0)
            break;
    }
    printf("%d\n", now.parked);
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        printf("%lld\n", (long long)greeting_us());
        (void)fflush(stdout);
    }
    return 0;
}

/* A header, and lines of 70 characters. */
static void make_body(void)
{
    static const char head[] = "Subject: load\r\nFrom: <carol@mx.test.invalid>\r\n\r\n", last[] = "\r\n.\r\n";
    size_t n = sizeof head - 1;

    is.size = is.size < 128 ? 128 : is.size;
    if ((is.body = malloc(is.size + sizeof last)) == NULL)
        die("malloc");
    memcpy(is.body, head, n);
    for (size_t column = 0; n < is.size; n++, column = (column + 1) % 72)
        is.body[n] = column == 70 ? '\r' : column == 71 ? '\n' : 'x';
    while (n > 0 && (is.body[n - 1] == '\r' || is.body[n - 1] == '\n'))
        n--;
    memcpy(is.body + n, last, sizeof last - 1);
    is.size = n + sizeof last - 1;
}

static void add_addresses(char *list)
{
    for (char *one = strtok(list, ","); one != NULL && is.addresses < MOST_ADDRESSES; one = strtok(NULL, ","))
        is.address[is.addresses++] = one;
}

static bool options(int argc, char **argv)
{
    static char everybody[] = "dave@example.org";
    int option;

    while ((option = getopt(argc, argv, "s:m:dl:r:f:t:Pp:g:")) != -1)
        switch (option) {
        case 's': is.sessions = atoi(optarg); break;
        case 'm': is.messages = atoi(optarg); break;
        case 'd': is.many = true; break;
        case 'l': is.size = (size_t)atol(optarg); break;
        case 'r': is.recipients = atoi(optarg); break;
        case 'f': is.sender = optarg; break;
        case 't': add_addresses(optarg); break;
        case 'g': is.most_ungreeted = atoi(optarg); break;
        case 'P': is.pipelined = true; break;
        case 'p': is.park = true; is.sessions = atoi(optarg); break;
        default: return false;
        }
    if (is.addresses == 0)
        add_addresses(everybody);
    is.to = (struct sockaddr_in){.sin_family = AF_INET};
    if (argc - optind != 2 || is.sessions < 1 || is.messages < 1 || is.recipients < 1 || is.most_ungreeted < 1)
        return false;
    is.to.sin_port = htons((uint16_t)atoi(argv[optind + 1]));
    return inet_pton(AF_INET, argv[optind], &is.to.sin_addr) == 1;
}

int main(int argc, char **argv)
{
    struct rlimit files = {65536, 65536};
    struct session *all;

    if (!options(argc, argv)) {
        fprintf(stderr, "usage: load [-s SESSIONS] [-m MESSAGES] [-d] [-l BYTES] [-r RECIPIENTS] [-f SENDER] [-t RECIPIENT,...] [-P] [-g N] "
                        "ADDRESS PORT\n       load -p SESSIONS [-g N] ADDRESS PORT\n");
        return 2;
    }
    (void)setrlimit(RLIMIT_NOFILE, &files);
    make_body();
    now.epoll = epoll_create1(EPOLL_CLOEXEC);
    all = calloc((size_t)is.sessions, sizeof *all);
    if (now.epoll < 0 || all == NULL)
        die("load");
    for (int i = 0; i < is.sessions; i++)
        all[i].fd = -1;
    return is.park ? park_all(all) : send_all(all);
}

#include "commands/waybill/init.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/cut.h"
#include "core/base/file.h"

extern char **environ;

enum { EX_USAGE = 64, EX_CANTCREAT = 73, FILE_MOST = 64 * 1024 };

static const char usage[] =
    "usage: waybill init DIR [--smtp-port N] [--domain D] [--relayhost H]\n"
    "Makes a private instance of the mail system in DIR, which must not exist or be empty. It accepts mail for D (default:\n"
    "example.test) from 127.0.0.1 on port N (default: 2525) and delivers USER@D to the Maildir DIR/mail/USER/. Mail for other\n"
    "domains goes to H, e.g. [127.0.0.1]:2526, or by DNS. Start it with: postfix -c DIR/etc start\n";

/* ---- where our programs are: beside this one ---- */
static bool find_programs(struct instance *in, struct err *err)
{
    char self[sizeof in->sbin], master[sizeof in->libexec + 8];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (n < 0)
        return err_sys(err, "find my own program");
    self[n] = '\0';
    slash = strrchr(self, '/');
    *slash = '\0';
    (void)snprintf(in->sbin, sizeof in->sbin, "%s", self);
    slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    if (snprintf(in->libexec, sizeof in->libexec, "%s/libexec", self) >= (int)sizeof in->libexec)
        return err_set(err, ERR_LIMIT, "path too long: %s", self);
    (void)snprintf(master, sizeof master, "%s/master", in->libexec); /* Debian has a /usr/libexec of others */
    if (access(master, X_OK) != 0)
        (void)snprintf(in->libexec, sizeof in->libexec, "/usr/lib/postfix/sbin");
    return true;
}

static void find_hostname(struct instance *in)
{
    char name[256];

    if (gethostname(name, sizeof name) != 0)
        (void)snprintf(name, sizeof name, "localhost");
    name[sizeof name - 1] = '\0';
    (void)snprintf(in->hostname, sizeof in->hostname, "%s%s", name, strchr(name, '.') == NULL ? ".localdomain" : "");
}

/* ---- configuration ---- */
static bool write_file(const struct instance *in, const char *name, const struct buf *content, struct err *err)
{
    AUTO_BUF struct buf path = BUF_INIT(1000);
    AUTO_FD int fd = -1;

    (void)buf_addf(&path, "%s/%s", in->directory, name);
    fd = open(buf_text(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, "create %s", buf_text(&path));
    return file_write_all(fd, buf_slice(content), err) || err_note(err, "%s", buf_text(&path));
}

static void add_places(const struct instance *in, struct buf *b)
{
    (void)buf_addf(b, "compatibility_level = 3.6\n\n# Where everything is.\n");
    (void)buf_addf(b, "queue_directory = %s/spool\ndata_directory = %s/data\n", in->directory, in->directory);
    (void)buf_addf(b, "command_directory = %s\ndaemon_directory = %s\n", in->sbin, in->libexec);
    (void)buf_addf(b, "sendmail_path = %s/sendmail\nmailq_path = %s/mailq\nnewaliases_path = %s/newaliases\n", in->sbin, in->sbin,
                   in->sbin);
    (void)buf_addf(b, "maillog_file = %s/log/mail.log\nmaillog_file_prefixes = %s/log\n", in->directory, in->directory);
    (void)buf_addf(b, "mail_owner = %s\nsetgid_group = %s\n", in->owner, in->drop_group);
    (void)buf_addf(b, "default_privs = %s\n", in->rootless ? in->owner : "nobody");
}

static void add_domains(const struct instance *in, struct buf *b)
{
    (void)buf_addf(b, "\n# Who may send what to whom.\n");
    (void)buf_addf(b, "inet_interfaces = loopback-only\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\n");
    (void)buf_addf(b, "myhostname = %s\nmydestination = $myhostname, localhost.$mydomain, localhost\n", in->hostname);
    (void)buf_addf(b, "alias_maps = hash:$config_directory/aliases\nalias_database = hash:$config_directory/aliases\n");
    (void)buf_addf(b, "mail_spool_directory = %s/local\n", in->directory);
    (void)buf_addf(b, "relayhost = %s\n", in->relayhost);
    (void)buf_addf(b, "\n# %s: every USER has a Maildir in %s/mail/USER/, unless virtual_mailbox_maps names them.\n", in->domain,
                   in->directory);
    (void)buf_addf(b, "virtual_mailbox_domains = %s\nvirtual_mailbox_base = %s/mail\nvirtual_mailbox_default = %%u/\n", in->domain,
                   in->directory);
    (void)buf_addf(b, "virtual_uid_maps = static:%lu\nvirtual_gid_maps = static:%lu\nvirtual_minimum_uid = %lu\n",
                   (unsigned long)in->uid, (unsigned long)in->gid, (unsigned long)(in->uid < 100 ? in->uid : 100));
}

static const char master_rows[] = "# service type  private unpriv  chroot  wakeup  maxproc command + args\n"
                                  "127.0.0.1:%d inet  n       -       n       -       -       smtpd\n"
                                  "pickup    unix  n       -       n       60      1       pickup\n"
                                  "cleanup   unix  n       -       n       -       0       cleanup\n"
                                  "qmgr      unix  n       -       n       300     1       qmgr\n"
                                  "rewrite   unix  -       -       n       -       -       trivial-rewrite\n"
                                  "bounce    unix  -       -       n       -       0       bounce\n"
                                  "defer     unix  -       -       n       -       0       bounce\n"
                                  "trace     unix  -       -       n       -       0       bounce\n"
                                  "flush     unix  n       -       n       1000?   0       flush\n"
                                  "proxymap  unix  -       -       n       -       -       proxymap\n"
                                  "proxywrite unix -       -       n       -       1       proxymap\n"
                                  "smtp      unix  -       -       n       -       -       smtp\n"
                                  "relay     unix  -       -       n       -       -       smtp -o syslog_name=$syslog_name/$service_name\n"
                                  "lmtp      unix  -       -       n       -       -       lmtp\n"
                                  "showq     unix  n       -       n       -       -       showq\n"
                                  "error     unix  -       -       n       -       -       error\n"
                                  "retry     unix  -       -       n       -       -       error\n"
                                  "discard   unix  -       -       n       -       -       discard\n"
                                  "local     unix  -       n       n       -       -       local\n"
                                  "virtual   unix  -       n       n       -       -       virtual\n"
                                  "verify    unix  -       -       n       -       1       verify\n"
                                  "anvil     unix  -       -       n       -       1       anvil\n"
                                  "postlog   unix-dgram n  -       n       -       1       postlogd\n";

static bool write_configuration(const struct instance *in, struct err *err)
{
    AUTO_BUF struct buf main_cf = BUF_INIT(FILE_MOST), master_cf = BUF_INIT(FILE_MOST), aliases = BUF_INIT(FILE_MOST);

    (void)buf_addf(&main_cf, "# A private instance, made by waybill init. See postconf(5).\n");
    add_places(in, &main_cf);
    add_domains(in, &main_cf);
    (void)buf_addf(&master_cf, master_rows, in->smtp_port);
    (void)buf_addf(&aliases, "# aliases(5). After a change: newaliases -C %s/etc\nmailer-daemon: postmaster\npostmaster: root\n",
                   in->directory);
    return write_file(in, "etc/main.cf", &main_cf, err) && write_file(in, "etc/master.cf", &master_cf, err) &&
           write_file(in, "etc/aliases", &aliases, err);
}

/* The alias database, by postalias beside this program. */
static bool build_aliases(const struct instance *in, struct err *err)
{
    AUTO_BUF struct buf program = BUF_INIT(1000), etc = BUF_INIT(1000), table = BUF_INIT(1000);
    int status;
    pid_t pid;

    (void)buf_addf(&program, "%s/postalias", in->sbin);
    (void)buf_addf(&etc, "%s/etc", in->directory);
    (void)buf_addf(&table, "hash:%s/etc/aliases", in->directory);
    {
        const char *const argv[] = {program.p, "-c", etc.p, table.p, NULL};
        int code = posix_spawn(&pid, program.p, NULL, NULL, (char *const *)argv, environ);

        if (code != 0)
            return err_set(err, ERR_SYS, "run %s: %s", program.p, strerror(code));
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return err_set(err, ERR_SYS, "%s failed", buf_text(&program));
    return true;
}

static bool domain_is_good(slice domain)
{
    for (size_t i = 0; i < domain.n; i++)
        if (!ascii_is_alnum(domain.p[i]) && domain.p[i] != '.' && domain.p[i] != '-')
            return false;
    return domain.n > 0 && domain.n < 256 && domain.p[0] != '.' && domain.p[0] != '-';
}

static bool one_line(const char *text)
{
    return strpbrk(text, "\r\n") == NULL;
}

/* The absolute path of a folder that may not exist yet; false when it is too long. */
static bool absolute(const char *path, char out[static INIT_DIRECTORY_MOST + 1])
{
    char here[1024] = "";
    size_t n = strlen(path);
    int printed;

    while (n > 1 && path[n - 1] == '/')
        n--;
    if (path[0] != '/' && getcwd(here, sizeof here) == NULL)
        return false;
    printed = snprintf(out, INIT_DIRECTORY_MOST + 1, "%s%s%.*s", here, path[0] == '/' ? "" : "/", (int)n, path);
    return printed >= 0 && printed <= INIT_DIRECTORY_MOST;
}

static int parse(int argc, char **argv, struct instance *in)
{
    static const struct option options[] = {
        {"smtp-port", required_argument, NULL, 'p'}, {"domain", required_argument, NULL, 'd'},
        {"relayhost", required_argument, NULL, 'r'}, {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 'p':
            if (!slice_to_int(slice_text(optarg), &in->smtp_port) || in->smtp_port < 1 || in->smtp_port > 65535) {
                (void)fprintf(stderr, "waybill init: --smtp-port %s: not a port\n", optarg);
                return EX_USAGE;
            }
            break;
        case 'd':
            in->domain = optarg;
            break;
        case 'r':
            in->relayhost = optarg;
            break;
        case 'h':
            (void)fputs(usage, stdout);
            exit(0);
        default:
            (void)fputs(usage, stderr);
            return EX_USAGE;
        }
    if (optind + 1 != argc) {
        (void)fputs(usage, stderr);
        return EX_USAGE;
    }
    if (!absolute(argv[optind], in->directory) || strpbrk(in->directory, " \t\r\n$,{}") != NULL) {
        (void)fprintf(stderr,
                      "waybill init: %s: the path must be at most %d characters, without blanks, commas, $ or braces\n",
                      argv[optind], INIT_DIRECTORY_MOST);
        return EX_USAGE;
    }
    if (!domain_is_good(slice_text(in->domain)) || !one_line(in->relayhost)) {
        (void)fprintf(stderr, "waybill init: not a domain name: %s\n", in->domain);
        return EX_USAGE;
    }
    return 0;
}

int init_main(int argc, char **argv)
{
    struct instance in = {.smtp_port = 2525, .domain = "example.test", .relayhost = ""};
    int status = parse(argc, argv, &in);
    struct err err;

    if (status != 0)
        return status;
    (void)umask(022);
    find_hostname(&in);
    if (find_programs(&in, &err) && owners_find(&in, &err) && owners_can_reach(&in, &err) && init_make_folders(&in, &err) &&
        write_configuration(&in, &err) && build_aliases(&in, &err)) {
        tell(&in);
        return 0;
    }
    (void)fprintf(stderr, "waybill init: %s\n", err.text);
    return EX_CANTCREAT;
}

/* sendmail(1): sends mail, and what else people have called by this name for forty years. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/sendmail/enqueue.h"
#include "core/base/buf.h"
#include "core/base/cut.h"
#include "mail/command/command.h"
#include "mail/events/events.h"

enum { EX_TEMPORARY = 75, ARGUMENTS_MOST = 64 };

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* Becomes another program. */
static NORETURN void become(const char *directory, const char *program, const char *const arguments[])
{
    AUTO_BUF struct buf path = BUF_INIT(4096);

    (void)buf_addf(&path, "%s/%s", directory, program);
    (void)execv(buf_text(&path), (char *const *)arguments);
    event_fatal("execute %s: %s", buf_text(&path), strerror(errno));
}

static NORETURN void queue(const struct params *p, const char *option, const char *argument)
{
    const char *const arguments[] = {"postqueue", option, argument, NULL};

    become(p->command_directory, "postqueue", arguments);
}

/* postalias over all of alias_database, or the file that -oA names. */
static NORETURN void rebuild_aliases(const struct params *p, const struct sendmail_options *o)
{
    slice list = slice_text(o->alias_file != NULL ? o->alias_file : p->alias_database), word;
    const char *arguments[ARGUMENTS_MOST] = {"postalias"};
    size_t n = 1;

    while (n + 1 < ARGUMENTS_MOST && cut_word(&list, ", \t\r\n", &word))
        arguments[n++] = strndup(word.p, word.n);
    if (n == 1)
        event_fatal("no alias database is configured (alias_database is empty)");
    become(p->command_directory, "postalias", arguments);
}

static const char help[] = "usage: sendmail [-i] [-t] [-f sender] [-F name] [-N conditions] [-R full|hdrs] [-V envid] "
                           "[-v] [recipient...] <message\n"
                           "       sendmail -bp | -bi | -bv recipient... | -q | -qIid | -qRsite\n"
                           "  -t           recipients are in the message's header, too\n"
                           "  -i           a line with a dot alone is no end\n"
                           "  -f, -F       the sender's address and full name\n"
                           "  -N, -R, -V   delivery status notifications\n"
                           "  -v, -bv      tell me what became of it; only find out what would\n"
                           "  -bp, mailq   list the queue\n"
                           "  -bi, newaliases   rebuild the alias tables\n"
                           "  -q           try everything again now; only one message; only one site\n"
                           "  -C dir       main.cf is in dir\n"
                           "sendmail(1) tells more.\n";

int main(int argc, char **argv)
{
    static const char *const smtp[] = {"smtpd", "-S", NULL}, *const daemon[] = {"postfix", "start", NULL};
    struct sendmail_options o;
    struct params *p;

    command_help(argc, argv, help);
    (void)umask(022);
    command_begin("sendmail", EX_TEMPORARY, 0);
    options_parse(base_name(argv[0]), argc, argv, &o);
    p = command_configure(o.config);
    if (o.mode == MODE_NOTHING)
        return 0;
    command_clean_environment(p);
    if (o.mode != MODE_ALIASES)
        command_enter_queue(p);
    switch (o.mode) {
    case MODE_LIST:
        queue(p, "-p", NULL);
    case MODE_FLUSH:
        queue(p, "-f", NULL);
    case MODE_FLUSH_SITE:
        queue(p, "-s", o.argument);
    case MODE_FLUSH_FILE:
        queue(p, "-i", o.argument);
    case MODE_ALIASES:
        rebuild_aliases(p, &o);
    case MODE_SMTP:
        become(p->daemon_directory, "smtpd", smtp);
    case MODE_DAEMON:
        become(p->command_directory, "postfix", daemon);
    default:
        command_require_user(slice_text(p->authorized_submit_users), "submit mail");
        enqueue(p, &o);
    }
    if (o.trace_flags != 0)
        (void)printf("Mail Delivery Status Report will be mailed to <%s>.\n",
                     o.sender != NULL ? o.sender : login_name());
    return 0;
}

/* commands/sendmail/options.h - what the command line asks for. */
#ifndef COMMANDS_SENDMAIL_OPTIONS_H
#define COMMANDS_SENDMAIL_OPTIONS_H

#include <stdbool.h>

enum sendmail_mode {
    MODE_ENQUEUE, MODE_LIST, MODE_ALIASES, MODE_SMTP, MODE_DAEMON, MODE_FLUSH, MODE_FLUSH_SITE, MODE_FLUSH_FILE, MODE_NOTHING,
};

struct sendmail_options {
    enum sendmail_mode mode;
    const char *argument;       /* site or queue id */
    const char *sender;         /* NULL: the caller */
    const char *full_name;      /* -F, or NAME in the environment; NULL: from the password file */
    const char *encoding;       /* "7bit", "8bit" or NULL */
    const char *envelope_id;
    const char *verp;           /* "+=", "" for default_verp_delimiters, or NULL */
    const char *config;         /* -C */
    const char *alias_file;     /* -oA */
    int ret_flags, notify_flags, trace_flags;
    bool header_recipients;     /* -t */
    bool probes;                /* -bv: only finds out what would become of a message */
    bool dots_are_data;         /* -i */
    bool remote_context;        /* -G */
    char **recipients;          /* NULL-terminated */
};

/* Parses ARGV for a program called NAME (sendmail, mailq, newaliases, smtpd, anything).  Ends the process on bad usage. */
void options_parse(const char *name, int argc, char **argv, struct sendmail_options *out);

#endif

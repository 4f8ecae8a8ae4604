#include "commands/sendmail/probe_text.h"

#include "mail/syntax/address.h"

enum { ADDRESS_MOST = 16384 };

void probe_text(slice sender, char **recipients, struct buf *out)
{
    AUTO_BUF struct buf from = BUF_INIT(ADDRESS_MOST);

    if (sender.n > 0 && address_quote(sender, &from))
        (void)buf_addf(out, "From: %s\n", buf_text(&from));
    (void)buf_add(out, S("Subject: probe\nTo:"));
    for (char **r = recipients; *r != NULL; r++)
        (void)buf_addf(out, "\t%s%s\n", *r, r[1] != NULL ? "," : "");
}

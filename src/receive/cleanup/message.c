/* What every step of a message needs: its records, and what is wrong with it. */
#include "receive/cleanup/message.h"

#include <stdarg.h>

#include "mail/events/events.h"

enum { BOUNCEABLE = CLEANUP_HOPS | CLEANUP_SIZE | CLEANUP_CONTENT };

bool message_is_lost(const struct message *m)
{
    int64_t left = (m->flags & CLEANUP_BOUNCE) != 0 ? m->status & ~(int64_t)BOUNCEABLE : m->status;

    return left != 0;
}

void message_reject(struct message *m, int64_t status, const char *why)
{
    if (why != NULL)
        event_warning("%s: message rejected: %s", output_id(&m->output), why);
    m->status |= status;
}

void message_fail(struct message *m, const struct err *err)
{
    if (err->kind == ERR_LIMIT) {
        message_reject(m, CLEANUP_BAD, err->text);
        return;
    }
    if (err->kind != ERR_TEMPORARY && (m->status & CLEANUP_WRITE) == 0)
        event_warning("%s: %s", output_id(&m->output), err->text);
    m->status |= CLEANUP_WRITE;
}

static bool record_written(struct message *m, bool written)
{
    if (written)
        return true;
    if (m->output.state == OUTPUT_FAILED) {
        message_fail(m, &m->output.err);
    } else if ((m->status & CLEANUP_SIZE) == 0) {
        event_warning("%s: queue file size limit exceeded", output_id(&m->output));
        m->status |= CLEANUP_SIZE;
    }
    return false;
}

bool message_record(struct message *m, int type, slice data)
{
    return record_written(m, output_record(&m->output, type, data));
}

bool message_records(struct message *m, slice records)
{
    return record_written(m, output_records(&m->output, records));
}

bool message_recordf(struct message *m, int type, const char *format, ...)
{
    va_list args;
    bool written;

    va_start(args, format);
    written = output_vrecordf(&m->output, type, format, args);
    va_end(args);
    return record_written(m, written);
}

void message_note_utf8(struct message *m, slice text, int64_t sendopt)
{
    if (!m->desk->params->smtputf8_enable)
        return;
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] >= 128) {
            m->sendopts |= sendopt | ((m->flags & CLEANUP_AUTOUTF8) != 0 ? SENDOPT_REQUESTED : 0);
            return;
        }
    }
}

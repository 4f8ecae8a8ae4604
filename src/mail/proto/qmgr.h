/* mail/proto/qmgr.h - asking the queue manager about what waits, over its control socket.  Postfix has no such service.
 *
 * The queue manager makes the socket itself, with each start: who may reach public/ may connect.  Server: hello.  Client: one
 * of the requests below.  Server: its answer, and closes.  To look is free to all; for the rest the client's user must be root
 * or mail_owner (QMGR_DENIED).  An older queue manager, or Postfix's, has no such socket: then the files tell.
 *
 * "list": the messages of QUEUE_NAME ("deferred", "hold"; empty: both) from SENDER ("<>": the empty one) to a recipient at
 * DOMAIN; empty: any.  The answer is qmgr_status, and after QMGR_OK any number of qmgr_run:
 *   BYTES > 0                 that many bytes follow: whole messages, as showq(8) writes them (showq.h)
 *   BYTES = 0, QUEUE_ID       the queue manager knows nothing of this message but that it lies in QUEUE_NAME: the client may
 *                             read its file, and see whether it is one of those asked for
 *   BYTES = 0, no QUEUE_ID    the end
 * A message that waits all the time is told once.  QMGR_NOT_YET: not all files have been looked at.
 *
 * "count": qmgr_counts.  "flush_id", "flush_site": what waits in deferred/ under that id, or for recipients at that domain, is
 * tried at once, whatever failed before: qmgr_status, QMGR_NOT_YET when there may be more. */
#ifndef MAIL_PROTO_QMGR_H
#define MAIL_PROTO_QMGR_H

#include "core/ipc/message.h"

#define QMGR_CONTROL_SOCKET "public/qmgr-control"
#define QMGR_CONTROL_PROTOCOL "waybill_queue_control_protocol"

#define QMGR_LIST_REST_FIELDS(F) F(text, queue_name) F(text, sender) F(text, domain)
#define QMGR_LIST_FIELDS(F) F(text, request) QMGR_LIST_REST_FIELDS(F)   /* "list" */
#define QMGR_PLAIN_FIELDS(F) F(text, request)                           /* "count" */
#define QMGR_FLUSH_REST_FIELDS(F) F(text, what)
#define QMGR_FLUSH_FIELDS(F) F(text, request) QMGR_FLUSH_REST_FIELDS(F) /* "flush_id", "flush_site" */
#define QMGR_STATUS_FIELDS(F) F(number, status)
#define QMGR_RUN_FIELDS(F) F(text, queue_name) F(text, queue_id) F(number, bytes)
#define QMGR_COUNTS_FIELDS(F)                                                                                                  \
    F(number, status)                                                                                                          \
    F(long, active)                                                                                                            \
    F(long, deferred)                                                                                                          \
    F(long, hold)                                                                                                              \
    F(long, known) /* of those in deferred and hold: need not be read from their files */
IPC_MESSAGE(qmgr_list, QMGR_LIST_FIELDS)
IPC_MESSAGE(qmgr_list_rest, QMGR_LIST_REST_FIELDS)
IPC_MESSAGE(qmgr_plain, QMGR_PLAIN_FIELDS)
IPC_MESSAGE(qmgr_flush, QMGR_FLUSH_FIELDS)
IPC_MESSAGE(qmgr_flush_rest, QMGR_FLUSH_REST_FIELDS)
IPC_MESSAGE(qmgr_status, QMGR_STATUS_FIELDS)
IPC_MESSAGE(qmgr_run, QMGR_RUN_FIELDS)
IPC_MESSAGE(qmgr_counts, QMGR_COUNTS_FIELDS)
enum qmgr_status_code { QMGR_OK = 0, QMGR_NOT_YET = 1, QMGR_BAD = 2, QMGR_DENIED = 3 };
enum { QMGR_RUN_MOST = 4 << 20 /* bytes */ };

#endif

/* route/qmgr/control.h - answers over the control socket (mail/proto/qmgr.h). */
#ifndef ROUTE_QMGR_CONTROL_H
#define ROUTE_QMGR_CONTROL_H

/* The task that listens.  Each client has a task of its own, with bounded memory, and the queue manager waits for none;
 * of too many at once the last are sent away. */
void control_run(void *unused);

#endif

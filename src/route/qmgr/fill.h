/* route/qmgr/fill.h - reads in the background what a listing shows of the messages that wait. */
#ifndef ROUTE_QMGR_FILL_H
#define ROUTE_QMGR_FILL_H

/* The task that does, on a helper thread, some messages at a time. */
void fill_run(void *unused);
/* Something is wanted. */
void fill_kick(void);

#endif

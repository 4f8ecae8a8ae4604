/* route/qmgr/give_up.h - recipients that not even the retry transport takes: deferred without any agent. */
#ifndef ROUTE_QMGR_GIVE_UP_H
#define ROUTE_QMGR_GIVE_UP_H

/* The task that tells defer(8) of what is put among qmgr.undeliverable, and logs it. */
void give_up_run(void *unused);

#endif

/* route/qmgr/keep.h - keeps what is known of waiting messages from one queue manager to the next, in data_directory. */
#ifndef ROUTE_QMGR_KEEP_H
#define ROUTE_QMGR_KEEP_H

/* Puts what the last one kept into the index, before anything else is; the scan that follows says what of it holds.
 * Lets others run, who may take what is due. */
void keep_load(void);
/* The task that writes it when much has changed, some messages at a time. */
void keep_run(void *unused);
/* Writes it, if anything has changed; blocks. */
void keep_now(void);

#endif

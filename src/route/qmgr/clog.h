/* route/qmgr/clog.h - warnings that one destination fills the active queue, with what may help. */
#ifndef ROUTE_QMGR_CLOG_H
#define ROUTE_QMGR_CLOG_H

#include "route/qmgr/schedule.h"

/* After something was put in line for D: warns when that is more than a fifth of what the active queue may hold, at most
 * once in qmgr_clog_warn_time for each destination. */
void clog_check(struct destination *d);

#endif

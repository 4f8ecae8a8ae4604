/* route/qmgr/settings.h - main.cf's rules for a transport. */
#ifndef ROUTE_QMGR_SETTINGS_H
#define ROUTE_QMGR_SETTINGS_H

#include "core/base/err.h"
#include "mail/params/params.h"
#include "route/qmgr/schedule.h"

/* schedule.configure: PARAMS is a struct params.  A value that cannot be used gets a warning and Postfix's default. */
void settings_configure(void *params, struct transport *t);
/* Checks the values that apply to all transports, before the first message. */
MUST_CHECK bool settings_check(struct params *p, struct err *err);

#endif

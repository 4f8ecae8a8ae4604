/* report/verify/probe.h - sends a probe: a message that goes the way of all mail, is delivered nowhere, and whose fate the
 * delivery agents report to verify(8). */
#ifndef REPORT_VERIFY_PROBE_H
#define REPORT_VERIFY_PROBE_H

#include "core/base/slice.h"

/* Sends one to ADDRESS (internal form; cleanup(8) knows whom an empty one means) in a task of its own; what goes wrong is logged. */
void probe_send(slice address);

#endif

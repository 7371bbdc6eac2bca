/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crash - writes into the ledger that this process died, and how: of a signal of its own making (librrd, given a
 * damaged file), or because a call into librrd computes without end. A signal from outside blames nobody. */
#ifndef RECORDER_CRASH_H
#define RECORDER_CRASH_H

#include "core/recorder/ledger.h"

/* From now on; once in a process. The ledger is borrowed for the process' life. */
void crash_catch(struct ledger *ledger);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stage - a keeper in this process, for the targets that give it bytes from outside: a configuration of a few checks, a
 * journal in the temporary folder, no worker (there is none to start beside a fuzz target). */
#ifndef TESTS_FUZZ_STAGE_H
#define TESTS_FUZZ_STAGE_H

#include "core/keeper/keeper.h"

/* Made at the first call, closed at exit. */
struct keeper *stage_keeper(void);
/* Turns the loop until nothing is ready any more, at most so often. */
void stage_turn(struct keeper *keeper, unsigned turns);

#endif

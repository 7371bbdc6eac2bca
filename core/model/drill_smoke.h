/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill_smoke - questions that are ready-made for a database of an application (setting smoke). To ask another one, add
 * a row to its table; to know another application, add a table, and its name to `smokes` in drill.c. They are asked
 * where the others are, and carry the application's name. */
#ifndef MODEL_DRILL_SMOKE_H
#define MODEL_DRILL_SMOKE_H

#include "core/model/drill.h"

#define DRILL_SMOKE_MAX 32

/* The questions of an application; *count of them. NULL: none of that name. */
const struct drill_assertion *drill_smoke_find(const char *smoke, uint32_t *count);

#endif

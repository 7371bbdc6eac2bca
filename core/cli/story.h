/* SPDX-License-Identifier: GPL-3.0-or-later */
/* story - a journal record as one line for people. */
#ifndef CLI_STORY_H
#define CLI_STORY_H

#include <jansson.h>

#include "core/cli/cli.h"

/* Local time, age, subject, what happened; a type that is not known is shown with its members. */
void story_print(struct cli *cli, const char *line, size_t length, int64_t wall_ms, int64_t now_ms);
/* The same in two cells: of what it is told, and what happened; safe to print, in the arena. */
void story_tell(struct cli *cli, json_t *record, const char **subject, const char **what);
/* Whether the type has a sentence of its own (every event of core/model/event.h has). */
bool story_knows(const char *type);

#endif

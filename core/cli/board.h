/* SPDX-License-Identifier: GPL-3.0-or-later */
/* board - what `belfry status` shows, from the daemon's answer (doc/control.md). */
#ifndef CLI_BOARD_H
#define CLI_BOARD_H

#include <jansson.h>

#include "core/cli/cli.h"

/* The whole board: trouble first and unfolded, what is well in one line each. */
void board_print(struct cli *cli, const json_t *answer);
/* The worst state on the board; UNKNOWN when there are checks and none has a result yet. */
enum belfry_state board_worst(const json_t *answer);

/* Everything there is to say of the services in the answer, and of one check (detail.c). now_ms: the daemon's. */
void detail_print(struct cli *cli, const json_t *answer);
void detail_check(struct cli *cli, const json_t *check, int64_t now_ms);

/* ---- what board.c and detail.c share: one check's condition in words (condition.c) --------------------------- */

/* Room for the notes below a check. */
#define NOTES_MAX 6
struct notes {
    const char *items[NOTES_MAX];
    size_t count;
};
/* The configuration says enabled = false. */
bool condition_disabled(const json_t *check);
/* What else there is to know of a check: open circuit, flapping, disabled, stale. Empty for a calm one. */
void condition_notes(struct cli *cli, const json_t *check, int64_t now_ms, struct notes *out);
/* "CRITICAL", "CRITICAL soft 1/3", "waiting". */
const char *condition_state(struct cli *cli, const json_t *check);
/* "3 min"; "" when `at` is 0. */
const char *condition_age(struct cli *cli, int64_t at_ms, int64_t now_ms);
/* "in 24 s", "now". */
const char *condition_until(struct cli *cli, int64_t at_ms, int64_t now_ms);
/* The check's name within its service. */
const char *condition_name(struct cli *cli, const json_t *check);
/* The symbol of a state, by what the terminal can show. */
const char *condition_symbol(const struct term *term, enum belfry_state state);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control - the client of the daemon's control socket (doc/control.md), and how its JSON is read. */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <jansson.h>

#include "core/cli/cli.h"

/* Asks the daemon one thing and waits for the answer (timeout_ms < 0: for ever). The request is consumed. 0 with the
 * answer, whatever it says, or a negative code with *why naming the socket and how to start the daemon. */
int control_ask(struct cli *cli, json_t *request, int64_t timeout_ms, json_t **answer, struct why *why);
/* The same for a verb that can't go on without: NULL after it has said why, with the exit status in *status. An answer
 * "ok": false is such a failure too. */
json_t *control_want(struct cli *cli, json_t *request, int64_t timeout_ms, int *status);
#define CONTROL_TIMEOUT_MS 10000

/* Members; a missing one, or one of another type, reads as "", 0, false or an empty array. Texts are safe to print. */
const char *control_text(struct cli *cli, const json_t *object, const char *key);
int64_t control_integer(const json_t *object, const char *key);
bool control_flag(const json_t *object, const char *key);
json_t *control_list(const json_t *object, const char *key);
enum belfry_state control_state(const json_t *object, const char *key);

/* How JSON is printed: safe on any terminal, 0.0004 as 0.0004. */
#define CONTROL_JSON (JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15))
/* Prints the JSON on stdout as every verb does with -o json, and drops it. */
void control_print(struct cli *cli, json_t *json);

#endif

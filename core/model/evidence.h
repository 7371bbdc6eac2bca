/* SPDX-License-Identifier: GPL-3.0-or-later */
/* evidence - the files that a drill or a rehearsal leaves for an auditor, in a folder of its own: ID.json for each, and
 * last.json with the last one and the last one that passed, {"last": EVIDENCE, "passed": EVIDENCE or null}, by which
 * the plugin 'drill' measures. */
#ifndef MODEL_EVIDENCE_H
#define MODEL_EVIDENCE_H

#include <jansson.h>

/* Writes both; its "id" and "result" say which they are. hex: the SHA-256 of ID.json. 0 or a negative code. */
int evidence_keep(const char *folder, json_t *evidence, char hex[65]);

#endif

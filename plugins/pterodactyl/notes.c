/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notes - what the plugin remembers from run to run: since when a server installs, is down, is transferred; what its
 * backups were when they were last looked at.
 *
 * Kept as text, in the values "notes0", "notes1", ...: "i 17 1700000000 0 0 0;" for each note. What can't be read is
 * skipped: then a time starts again, and nothing is claimed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/pterodactyl/pterodactyl.h"

#define PIECES 14
#define PIECE_BYTES 4000

static const char *piece_key(struct ptero *t, int i)
{
    return belfry_print(t->p, "notes%d", i);
}

static void read_piece(struct ptero *t, const char *text)
{
    while (text && *text && t->note_count < PTERO_NOTES_MAX) {
        struct ptero_note n = { 0 };
        if (sscanf(text, "%c %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &n.kind, &n.id, &n.values[0],
                   &n.values[1], &n.values[2], &n.values[3]) == 6)
            t->notes[t->note_count++] = n;
        text = strchr(text, ';');
        text = text ? text + 1 : NULL;
    }
}

void ptero_notes_load(struct ptero *t)
{
    t->notes = belfry_alloc(t->p, PTERO_NOTES_MAX * sizeof *t->notes);
    t->first_run = !belfry_kept(t->p, "notes0");
    for (int i = 0; i < PIECES; i++)
        read_piece(t, belfry_kept(t->p, piece_key(t, i)));
}

struct ptero_note *ptero_note_find(struct ptero *t, enum ptero_kind kind, int64_t id)
{
    for (size_t i = 0; i < t->note_count; i++)
        if (t->notes[i].kind == (char)kind && t->notes[i].id == id)
            return &t->notes[i];
    return NULL;
}

struct ptero_note *ptero_note_touch(struct ptero *t, enum ptero_kind kind, int64_t id, int64_t since)
{
    struct ptero_note *n = ptero_note_find(t, kind, id);
    if (!n && t->note_count < PTERO_NOTES_MAX) {
        n = &t->notes[t->note_count++];
        *n = (struct ptero_note){ .kind = (char)kind, .id = id, .values = { since }, .fresh = true };
    }
    if (n)
        n->live = true;
    return n;
}

void ptero_notes_hold(struct ptero *t, const char *kinds)
{
    for (size_t i = 0; i < t->note_count; i++)
        if (strchr(kinds, t->notes[i].kind))
            t->notes[i].live = true;
}

void ptero_notes_save(struct ptero *t)
{
    char *piece = belfry_alloc(t->p, PIECE_BYTES);
    size_t used = 0, next = 0;
    for (int i = 0; i < PIECES; i++) {
        for (; next < t->note_count; next++) {
            const struct ptero_note *n = &t->notes[next];
            if (!n->live)
                continue;
            int length = snprintf(piece + used, PIECE_BYTES - used,
                                  "%c %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 ";", n->kind, n->id,
                                  n->values[0], n->values[1], n->values[2], n->values[3]);
            if (length < 0 || (size_t)length >= PIECE_BYTES - used)
                break;
            used += (size_t)length;
        }
        piece[used] = '\0';
        /* the first is kept when it is empty, too: it says that there was a run */
        if (used || i == 0 || belfry_kept(t->p, piece_key(t, i)))
            belfry_keep(t->p, piece_key(t, i), piece);
        used = 0;
    }
}

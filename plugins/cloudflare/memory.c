/* SPDX-License-Identifier: GPL-3.0-or-later */
/* memory - what the plugin remembers from run to run: what each part said last, values of settings, since when a tunnel
 * is degraded.
 *
 * Kept as text, in the values "notes0", "notes1", ...: "KIND STATE TIME NAME|TEXT~" for each, in pieces of at most
 * 4 KiB. What can't be read is skipped: then a time starts again, and nothing is claimed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/cloudflare/cloudflare.h"
#include "plugins/common/say.h"

#define PIECES 14
#define PIECE_BYTES 4000
#define TEXT_MAX 80
#define NAME_MAX_BYTES 200

static const char *piece_key(struct cf *c, int i)
{
    return belfry_print(c->p, "notes%d", i);
}

static void read_note(struct cf *c, const char *text, size_t length)
{
    char *line = say_copy(c->p, text, length), *bar = strchr(line, '|');
    struct cf_note n = { 0 };
    int name_at = 0;
    if (!bar || sscanf(line, "%c %d %" SCNd64 " %n", &n.kind, &n.state, &n.at, &name_at) != 3 || name_at == 0)
        return;
    if (n.state < BELFRY_OK || n.state > BELFRY_UNKNOWN || line + name_at > bar)
        return;
    *bar = '\0';
    n.name = line + name_at;
    n.text = bar + 1;
    c->notes[c->note_count++] = n;
}

void cf_notes_load(struct cf *c)
{
    c->notes = belfry_alloc(c->p, CF_NOTES_MAX * sizeof *c->notes);
    c->first_run = !belfry_kept(c->p, "notes0");
    for (int i = 0; i < PIECES; i++) {
        const char *text = belfry_kept(c->p, piece_key(c, i));
        while (text && *text && c->note_count < CF_NOTES_MAX) {
            size_t length = strcspn(text, "~");
            read_note(c, text, length);
            text += length + (text[length] != '\0');
        }
    }
}

struct cf_note *cf_note_find(struct cf *c, enum cf_note_kind kind, const char *name)
{
    for (size_t i = 0; i < c->note_count; i++)
        if (c->notes[i].kind == (char)kind && strcmp(c->notes[i].name, name) == 0)
            return &c->notes[i];
    return NULL;
}

struct cf_note *cf_note_put(struct cf *c, enum cf_note_kind kind, const char *name, const char *text, bool renew)
{
    struct cf_note *n = cf_note_find(c, kind, name);
    if (strlen(name) > NAME_MAX_BYTES || strpbrk(name, "|~"))
        return NULL;
    if (!n) {
        if (c->note_count == CF_NOTES_MAX)
            return NULL;
        n = &c->notes[c->note_count++];
        *n = (struct cf_note){ .kind = (char)kind, .at = c->now, .name = name };
    }
    if (renew)
        n->at = c->now;
    n->text = text;
    n->live = true;
    return n;
}

void cf_note_hold(struct cf *c, enum cf_note_kind kind, const char *name)
{
    struct cf_note *n = cf_note_find(c, kind, name);
    if (n)
        n->live = true;
}

/* The note as it is kept; no more than TEXT_MAX bytes of its text. */
static int write_note(char *to, size_t room, const struct cf_note *n)
{
    char text[TEXT_MAX + 1];
    size_t length = strnlen(n->text, TEXT_MAX);
    memcpy(text, n->text, length);
    while (length > 0 && length == TEXT_MAX && ((unsigned char)text[length - 1] & 0x80))
        length--; /* no half character at the cut */
    text[length] = '\0';
    for (char *at = text; *at; at++)
        *at = (unsigned char)*at < ' ' || *at == '~' ? ' ' : *at;
    return snprintf(to, room, "%c %d %" PRId64 " %s|%s~", n->kind, n->state, n->at, n->name, text);
}

void cf_notes_save(struct cf *c)
{
    char *piece = belfry_alloc(c->p, PIECE_BYTES);
    size_t next = 0;
    for (int i = 0; i < PIECES; i++) {
        size_t used = 0;
        for (; next < c->note_count; next++) {
            if (!c->notes[next].live)
                continue;
            int length = write_note(piece + used, PIECE_BYTES - used, &c->notes[next]);
            if (length < 0 || (size_t)length >= PIECE_BYTES - used)
                break;
            used += (size_t)length;
        }
        piece[used] = '\0';
        /* the first is kept when it is empty, too: it says that there was a run */
        if (used || i == 0 || belfry_kept(c->p, piece_key(c, i)))
            belfry_keep(c->p, piece_key(c, i), piece);
    }
}

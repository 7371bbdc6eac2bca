/* SPDX-License-Identifier: GPL-3.0-or-later */
/* map - open addressing with linear probing, at most three quarters full. Removal moves later entries of the run back
 * into the gap, so that there are no tombstones and lookups end at the first empty place. */
#include "core/base/map.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/text.h"

#define FIRST_SIZE 16u

/* The place of key: its entry, or the empty one where it belongs. The map is never full. */
static struct map_entry *seek(const struct map *map, const char *key, unsigned hash)
{
    size_t mask = map->size - 1;
    size_t i = hash & mask;
    while (map->entries[i].key && (map->entries[i].hash != hash || strcmp(map->entries[i].key, key) != 0))
        i = (i + 1) & mask;
    return &map->entries[i];
}

static void grow(struct map *map)
{
    struct map bigger = { .size = map->size ? 2 * map->size : FIRST_SIZE, .count = map->count };
    bigger.entries = heap_array(bigger.size, sizeof *bigger.entries);
    for (size_t i = 0; i < map->size; i++) {
        const struct map_entry *entry = &map->entries[i];
        if (entry->key)
            *seek(&bigger, entry->key, entry->hash) = *entry;
    }
    free(map->entries);
    *map = bigger;
}

void map_close(struct map *map)
{
    if (!map)
        return;
    free(map->entries);
    *map = (struct map){ 0 };
}

void *map_get(const struct map *map, const char *key)
{
    return map->count ? seek(map, key, (unsigned)text_hash(key))->value : NULL;
}

void *map_put(struct map *map, const char *key, void *value)
{
    if (4 * (map->count + 1) > 3 * map->size)
        grow(map);
    unsigned hash = (unsigned)text_hash(key);
    struct map_entry *entry = seek(map, key, hash);
    void *before = entry->value;
    if (!entry->key)
        map->count++;
    *entry = (struct map_entry){ .key = key, .value = value, .hash = hash };
    return before;
}

void *map_remove(struct map *map, const char *key)
{
    if (map->count == 0)
        return NULL;
    struct map_entry *gap = seek(map, key, (unsigned)text_hash(key));
    void *before = gap->value;
    if (!gap->key)
        return NULL;
    size_t mask = map->size - 1;
    size_t empty = (size_t)(gap - map->entries);
    for (size_t i = (empty + 1) & mask; map->entries[i].key; i = (i + 1) & mask) {
        size_t home = map->entries[i].hash & mask;
        if (((i - home) & mask) < ((i - empty) & mask))
            continue; /* it lies between its home and itself: the gap is of no use to it */
        map->entries[empty] = map->entries[i];
        empty = i;
    }
    map->entries[empty] = (struct map_entry){ 0 };
    map->count--;
    return before;
}

void *map_next(const struct map *map, size_t *i)
{
    while (*i < map->size) {
        const struct map_entry *entry = &map->entries[(*i)++];
        if (entry->key && entry->value)
            return entry->value;
    }
    return NULL;
}

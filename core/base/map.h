/* SPDX-License-Identifier: GPL-3.0-or-later */
/* map - text to pointer. Keys are borrowed: they must outlive the entry (usually they are inside the value). */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>

struct map_entry {
    const char *key; /* NULL: empty */
    void *value;
    unsigned hash;
};

/* Zero it before use. Read entries only through the functions. */
struct map {
    struct map_entry *entries;
    size_t count, size;
};

void map_close(struct map *map);
void *map_get(const struct map *map, const char *key);
/* Returns the value that was there before, or NULL. */
void *map_put(struct map *map, const char *key, void *value);
void *map_remove(struct map *map, const char *key);
/* Iterates in no particular order: for (size_t i = 0; (value = map_next(map, &i)) != NULL;). Do not change it
 * meanwhile. */
void *map_next(const struct map *map, size_t *i);

#endif

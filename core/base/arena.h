/* SPDX-License-Identifier: GPL-3.0-or-later */
/* arena - memory that is freed all at once. A configuration is one arena, a result is one arena. Allocation never
 * fails to the caller: out of memory ends the process with a log line (a supervised process is restarted). */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_block;

/* Embed it and set it to zero, or use arena_open(). */
struct arena {
    struct arena_block *blocks;
    char *next, *end;
    size_t used_bytes; /* in all blocks */
};

/* Frees everything; the arena may be used again. */
void arena_close(struct arena *arena);
/* Forgets everything but keeps one block of memory for reuse. */
void arena_reset(struct arena *arena);

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
/* Zeroed array; count * size is checked for overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Copies; NULL stays NULL. */
char *arena_text(struct arena *arena, const char *text);
char *arena_text_n(struct arena *arena, const char *text, size_t length);
char *arena_print(struct arena *arena, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));
char *arena_vprint(struct arena *arena, const char *format, va_list args) __attribute__((__format__(__printf__, 2, 0)));

/* Heap allocation under the same rule (never NULL). */
void *heap_alloc(size_t size);
void *heap_array(size_t count, size_t size);
/* realloc to count * size; new bytes are not zeroed. */
void *heap_grow(void *old, size_t count, size_t size);
char *heap_text(const char *text);

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* arena - blocks of memory in a list, newest first; `next` and `end` mark what is free in the newest. Blocks double in
 * size up to BLOCK_MAX, so that small arenas stay small; what is larger than a quarter of BLOCK_MAX gets a block of its
 * own behind the newest, whose free rest stays in use. A reset keeps the newest ordinary block: an arena that serves
 * one result after another soon allocates nothing at all. */
#include "core/base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"

#define BLOCK_MIN 4096u
#define BLOCK_MAX (256u << 10)
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
    struct arena_block *older;
    size_t size; /* of bytes */
    _Alignas(max_align_t) char bytes[];
};

static size_t round_up(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static struct arena_block *make_block(size_t size)
{
    struct arena_block *block = heap_alloc(sizeof *block + size);
    block->size = size;
    return block;
}

static void use_block(struct arena *arena, struct arena_block *block)
{
    arena->next = block->bytes;
    arena->end = block->bytes + block->size;
}

/* A block with room for size bytes (rounded); the bytes are taken from it. */
static char *take_from_new_block(struct arena *arena, size_t size)
{
    struct arena_block *newest = arena->blocks;
    if (newest && size > BLOCK_MAX / 4) {
        struct arena_block *own = make_block(size);
        own->older = newest->older;
        newest->older = own;
        return own->bytes;
    }
    size_t want = newest ? newest->size * 2 : BLOCK_MIN;
    want = want > BLOCK_MAX ? BLOCK_MAX : want;
    struct arena_block *block = make_block(want > size ? want : size);
    block->older = newest;
    arena->blocks = block;
    use_block(arena, block);
    arena->next += size;
    return block->bytes;
}

/* size bytes that are not zeroed. */
static char *take(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 4)
        log_fatal("memory", "a request for %zu bytes is impossible", size);
    size = round_up(size ? size : 1);
    arena->used_bytes += size;
    if (size <= (size_t)(arena->end - arena->next)) {
        char *bytes = arena->next;
        arena->next += size;
        return bytes;
    }
    return take_from_new_block(arena, size);
}

void arena_close(struct arena *arena)
{
    if (!arena)
        return;
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
    *arena = (struct arena){ 0 };
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL, *block = arena->blocks;
    while (block) {
        struct arena_block *older = block->older;
        if (!kept && block->size <= BLOCK_MAX)
            kept = block;
        else
            free(block);
        block = older;
    }
    *arena = (struct arena){ .blocks = kept };
    if (kept) {
        kept->older = NULL;
        use_block(arena, kept);
    }
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return memset(take(arena, size), 0, size ? size : 1);
}

static size_t multiply(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        log_fatal("memory", "a request for %zu times %zu bytes is impossible", count, size);
    return bytes;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    return arena_alloc(arena, multiply(count, size));
}

char *arena_text(struct arena *arena, const char *text)
{
    return text ? arena_text_n(arena, text, strlen(text)) : NULL;
}

char *arena_text_n(struct arena *arena, const char *text, size_t length)
{
    if (!text)
        return NULL;
    char *copy = take(arena, length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *arena_print(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprint(arena, format, args);
    va_end(args);
    return text;
}

char *arena_vprint(struct arena *arena, const char *format, va_list args)
{
    char small[256];
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(small, sizeof small, format, args);
    char *text;
    if (length < 0) {
        text = arena_text(arena, "");
    } else if ((size_t)length < sizeof small) {
        text = arena_text_n(arena, small, (size_t)length);
    } else {
        text = take(arena, (size_t)length + 1);
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text;
}

static void *check_memory(void *memory, size_t size)
{
    if (!memory)
        log_fatal("memory", "out of memory: %zu bytes were wanted", size);
    return memory;
}

void *heap_alloc(size_t size)
{
    return check_memory(calloc(1, size ? size : 1), size);
}

void *heap_array(size_t count, size_t size)
{
    return heap_alloc(multiply(count, size));
}

void *heap_grow(void *old, size_t count, size_t size)
{
    size_t bytes = multiply(count, size);
    return check_memory(realloc(old, bytes ? bytes : 1), bytes);
}

char *heap_text(const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    return memcpy(heap_alloc(size), text, size);
}

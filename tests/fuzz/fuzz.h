/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz - what the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(): it gives the bytes to a
 * reader of the product and checks what must hold whatever they are; fuzz_must() aborts when something does not.
 *
 * Built by clang with --enable-fuzzers a target is driven by libFuzzer (`make fuzz`); otherwise by replay.c, which
 * reads the kept corpus and changes it a little. Without state from one input to the next: an input that is kept must
 * fail again. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define fuzz_must(holds, what)                                                                                         \
    do {                                                                                                               \
        if (!(holds)) {                                                                                                \
            fprintf(stderr, "%s:%d: it must hold that %s\n", __FILE__, __LINE__, (what));                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A folder of its own, in memory where there is some, removed at exit. */
const char *fuzz_folder(void);
/* folder/name; static storage, four at a time. */
const char *fuzz_path(const char *name);
/* Removes the files in a folder (no folders). */
void fuzz_empty(const char *folder);
void fuzz_write(const char *path, const void *bytes, size_t n);
/* The whole file, NUL-terminated, to be freed; NULL when there is none. */
char *fuzz_read(const char *path, size_t *n);
/* The bytes as a text of their own, to be freed. */
char *fuzz_text(const uint8_t *bytes, size_t n);

#endif

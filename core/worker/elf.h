/* SPDX-License-Identifier: GPL-3.0-or-later */
/* elf - reading the plugin's descriptor out of a shared object as a file, before the dynamic linker sees it. */
#ifndef WORKER_ELF_H
#define WORKER_ELF_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

#define ELF_NAME_SIZE 65

/* The plain numbers at the start of struct belfry_plugin, and the name behind its first pointer ("" when the file gives
 * it in a way that only the dynamic linker understands). */
struct elf_descriptor {
    uint32_t magic, size, abi, option_size, metric_size, view_size;
    char name[ELF_NAME_SIZE];
};

/* Finds the symbol `belfry_plugin` in the image of a file. The bytes are not trusted: every offset is checked. 0 or
 * ERROR_REFUSED with what was found and what was wanted. */
int elf_descriptor_read(const void *image, size_t n, struct elf_descriptor *out, struct why *why);

#endif

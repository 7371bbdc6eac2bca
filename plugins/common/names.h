/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names - a hash for the tables of names that one run makes and asks some seventy times: of the length and both ends
 * of a name, regardless of the case of letters, in a few instructions whatever the length. */
#ifndef PLUGINS_COMMON_NAMES_H
#define PLUGINS_COMMON_NAMES_H

#include <stdint.h>
#include <string.h>

static inline uint32_t names_hash(const char *name, size_t length)
{
    uint64_t head = 0, tail = 0;
    if (length >= sizeof head) {
        memcpy(&head, name, sizeof head);
        memcpy(&tail, name + length - sizeof tail, sizeof tail);
    } else {
        for (size_t i = 0; i < length; i++)
            head = head << 8 | (unsigned char)name[i];
    }
    const uint64_t letters = UINT64_C(0x2020202020202020), odd = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = ((head | letters) * odd) ^ (tail | letters) ^ length;
    return (uint32_t)(mixed * odd >> 32);
}

#endif

/* SPDX-License-Identifier: GPL-3.0-or-later */
/* elf - reading the plugin's descriptor out of the file.
 *
 * The dynamic linker runs constructors before dlopen() returns, so that asking a loaded plugin for its ABI comes too
 * late. The descriptor's first members are plain numbers without relocations: they stand in the file as they will
 * stand in memory. The way to them is
 *     section headers -> SHT_DYNSYM and its string table -> symbol "belfry_plugin" -> its address -> PT_LOAD -> offset
 * The name is a pointer, so its place in the file holds either the address (RELR) or the addend of a relative
 * relocation in some SHT_RELA section does.
 *
 * This guards against accidents (a wrong file, an old build), not against an author who forges headers: who may write
 * the file is decided by the trust rule, and load.c compares once more after dlopen(). But any bytes at all must be
 * survived here, so nothing is read except through at(). */
#include "core/worker/elf.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "belfry/plugin.h"

#if defined(__x86_64__)
#define ELF_MACHINE EM_X86_64
#define ELF_RELATIVE R_X86_64_RELATIVE
#elif defined(__aarch64__)
#define ELF_MACHINE EM_AARCH64
#define ELF_RELATIVE R_AARCH64_RELATIVE
#else
#error "add this machine's ELF numbers here"
#endif

/* A file this crooked is not worth more work. */
#define SECTIONS_MAX 4096u
#define SEGMENTS_MAX 256u

#define SYMBOL "belfry_plugin"

struct image {
    const unsigned char *bytes;
    size_t n;
    Elf64_Ehdr header;
};

/* Copies size bytes from the offset; false when they are not all in the file. */
static bool at(const struct image *image, uint64_t offset, void *out, size_t size)
{
    if (offset > image->n || size > image->n - offset)
        return false;
    memcpy(out, image->bytes + offset, size);
    return true;
}

/* Entry i of a table of entries of `size` bytes. */
static bool entry_at(const struct image *image, uint64_t table, uint64_t i, void *out, size_t size)
{
    uint64_t offset;
    return !__builtin_mul_overflow(i, size, &offset) && !__builtin_add_overflow(offset, table, &offset) &&
           at(image, offset, out, size);
}

static bool section_at(const struct image *image, uint32_t i, Elf64_Shdr *out)
{
    return i < image->header.e_shnum && i < SECTIONS_MAX &&
           entry_at(image, image->header.e_shoff, i, out, sizeof(*out));
}

/* The section of the type after *i; false at the end. */
static bool next_section(const struct image *image, uint32_t type, uint32_t *i, Elf64_Shdr *out)
{
    for (; section_at(image, *i, out); (*i)++) {
        if (out->sh_type == type) {
            (*i)++;
            return true;
        }
    }
    return false;
}

/* Where the bytes of a loaded address stand in the file; false when they are not in it. */
static bool address_to_offset(const struct image *image, uint64_t address, uint64_t size, uint64_t *offset)
{
    for (uint32_t i = 0; i < image->header.e_phnum && i < SEGMENTS_MAX; i++) {
        Elf64_Phdr segment;
        if (!entry_at(image, image->header.e_phoff, i, &segment, sizeof(segment)))
            return false;
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr)
            continue;
        uint64_t into = address - segment.p_vaddr;
        if (into <= segment.p_filesz && size <= segment.p_filesz - into)
            return !__builtin_add_overflow(segment.p_offset, into, offset);
    }
    return false;
}

static bool is_wanted(const struct image *image, const Elf64_Shdr *strings, const Elf64_Sym *symbol)
{
    char name[sizeof(SYMBOL)];
    uint64_t offset;
    return symbol->st_shndx != SHN_UNDEF && !__builtin_add_overflow(strings->sh_offset, symbol->st_name, &offset) &&
           at(image, offset, name, sizeof(name)) && memcmp(name, SYMBOL, sizeof(name)) == 0;
}

static bool find_symbol(const struct image *image, Elf64_Sym *symbol)
{
    uint32_t section = 0;
    Elf64_Shdr symbols, strings;
    while (next_section(image, SHT_DYNSYM, &section, &symbols)) {
        if (!section_at(image, symbols.sh_link, &strings))
            continue;
        for (uint64_t i = 0; i < symbols.sh_size / sizeof(*symbol); i++) {
            if (!entry_at(image, symbols.sh_offset, i, symbol, sizeof(*symbol)))
                break;
            if (is_wanted(image, &strings, symbol))
                return true;
        }
    }
    return false;
}

/* The pointer that the dynamic linker will write at the address, counted from the start of the object. */
static uint64_t pointer_at(const struct image *image, uint64_t address)
{
    uint64_t offset, value = 0;
    if (address_to_offset(image, address, sizeof(value), &offset) && at(image, offset, &value, sizeof(value)) && value)
        return value;
    uint32_t section = 0;
    Elf64_Shdr table;
    while (next_section(image, SHT_RELA, &section, &table)) {
        Elf64_Rela entry;
        for (uint64_t i = 0; i < table.sh_size / sizeof(entry); i++) {
            if (!entry_at(image, table.sh_offset, i, &entry, sizeof(entry)))
                break;
            if (entry.r_offset == address && ELF64_R_TYPE(entry.r_info) == ELF_RELATIVE)
                return (uint64_t)entry.r_addend;
        }
    }
    return 0;
}

static void read_name(const struct image *image, uint64_t address, char out[ELF_NAME_SIZE])
{
    uint64_t offset, text = pointer_at(image, address);
    memset(out, 0, ELF_NAME_SIZE);
    if (text == 0 || !address_to_offset(image, text, 1, &offset))
        return;
    for (size_t i = 0; i < ELF_NAME_SIZE; i++) {
        if (!at(image, offset + i, &out[i], 1))
            break;
        if (out[i] == '\0')
            return;
    }
    out[0] = '\0'; /* no end within bounds */
}

static int check_header(const struct image *image, struct why *why)
{
    const Elf64_Ehdr *h = &image->header;
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return why_say(why, ERROR_REFUSED, "not an ELF file, wanted a shared object");
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
        return why_say(why, ERROR_REFUSED, "ELF class %u data %u, wanted 64 bits little endian", h->e_ident[EI_CLASS],
                       h->e_ident[EI_DATA]);
    if (h->e_machine != ELF_MACHINE)
        return why_say(why, ERROR_REFUSED, "built for ELF machine %u, wanted %u", h->e_machine, ELF_MACHINE);
    if (h->e_type != ET_DYN)
        return why_say(why, ERROR_REFUSED, "ELF type %u, wanted a shared object (type %u)", h->e_type, ET_DYN);
    if (h->e_shentsize != sizeof(Elf64_Shdr) || h->e_phentsize != sizeof(Elf64_Phdr))
        return why_say(why, ERROR_REFUSED, "has no usable section and program headers");
    return 0;
}

int elf_descriptor_read(const void *image_bytes, size_t n, struct elf_descriptor *out, struct why *why)
{
    struct image image = { .bytes = image_bytes, .n = n };
    if (!at(&image, 0, &image.header, sizeof(image.header)))
        return why_say(why, ERROR_REFUSED, "%zu bytes, too short for a shared object", n);
    int rc = check_header(&image, why);
    if (rc < 0)
        return rc;
    Elf64_Sym symbol;
    if (!find_symbol(&image, &symbol))
        return why_say(why, ERROR_REFUSED, "exports no symbol 'belfry_plugin' (BELFRY_PLUGIN makes it)");

    struct {
        uint32_t magic, size, abi, option_size, metric_size, view_size;
    } plain;
    _Static_assert(offsetof(struct belfry_plugin, view_size) == 20, "the descriptor begins with six numbers");
    uint64_t offset;
    if (!address_to_offset(&image, symbol.st_value, sizeof(plain), &offset) ||
        !at(&image, offset, &plain, sizeof(plain)))
        return why_say(why, ERROR_REFUSED, "'belfry_plugin' is not initialised data in the file");
    out->magic = plain.magic;
    out->size = plain.size;
    out->abi = plain.abi;
    out->option_size = plain.option_size;
    out->metric_size = plain.metric_size;
    out->view_size = plain.view_size;
    read_name(&image, symbol.st_value + offsetof(struct belfry_plugin, name), out->name);
    return 0;
}

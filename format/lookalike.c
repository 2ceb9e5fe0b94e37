/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/lookalike.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "format/format.h"
#include "format/tar.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* --- by more than a magic ----------------------------------------------- */

/* The magic, the size of blocks as a digit, and the magic of the first block.
 */
static bool is_bzip2(const unsigned char *start, size_t len)
{
    static const struct magic magic = MAGIC(0, "BZh");
    static const struct magic block = MAGIC(4, "1AY&SY");

    return magic_matches(&magic, start, len) &&
           magic_matches(&block, start, len);
}

/* LZMA has no magic. As it is written by default: the usual properties, a
 * dictionary of whole 64 KiB, and a length that is not known. */
static bool is_lzma(const unsigned char *start, size_t len)
{
    static const struct magic properties = MAGIC(0, "\x5d\0\0");
    static const struct magic length =
        MAGIC(5, "\xff\xff\xff\xff\xff\xff\xff\xff");

    return magic_matches(&properties, start, len) &&
           magic_matches(&length, start, len);
}

/* Text that begins with a word, in any case, after white space. */
static bool begins_with(const unsigned char *start, size_t len,
                        const char *word)
{
    static const struct magic mark = MAGIC(0, BYTE_ORDER_MARK);
    const char *text = (const char *)start, *end = text + len;
    size_t n = strlen(word);

    if (magic_matches(&mark, start, len))
        text += mark.length;
    while (text < end && strchr(" \t\r\n", *text) && *text)
        text++;
    return (size_t)(end - text) >= n && strncasecmp(text, word, n) == 0;
}

static bool is_html(const unsigned char *start, size_t len)
{
    return begins_with(start, len, "<!doctype html") ||
           begins_with(start, len, "<html") || begins_with(start, len, "<head");
}

/* Such as the OVF of an appliance, DiskDescriptor.xml of Parallels, or the
 * error message of an object store. */
static bool is_xml(const unsigned char *start, size_t len)
{
    return begins_with(start, len, "<?xml");
}

/* An object that has a key. */
static bool is_json(const unsigned char *start, size_t len)
{
    size_t at = 1;

    while (at < len && start[at] && strchr(" \t\r\n", start[at]))
        at++;
    return at < len && start[0] == '{' && start[at] == '"';
}

/* --- the table ---------------------------------------------------------- */

struct recognised {
    struct non_disk is;
    struct magic magic; /* or: */
    format_probe *probe;
};

/* A line for what is compressed as a whole. */
#define COMPRESSED(name, command)                                              \
    .is = {                                                                    \
        .what = name " file",                                                  \
        .advice = "decompress it with '" command "' first",                    \
    }

#define ARCHIVE(name, command)                                                 \
    .is = {                                                                    \
        .what = name " archive",                                               \
        .advice = "extract the disk with '" command "' first",                 \
    }

/* For what is not compressed. */
#define TAR(name)                                                              \
    .is = {                                                                    \
        .what = name " archive",                                               \
        .advice = "--member=NAME reads a disk in it",                          \
        .has_members = true,                                                   \
    }

#define EVIDENCE(name)                                                         \
    .is = {                                                                    \
        .what = name " image",                                                 \
        .advice = "read the disk in it with 'ewfmount' or 'ewfexport'",        \
    }

#define ANSWER(name)                                                           \
    .is = {                                                                    \
        .what = name,                                                          \
        .advice = "get the image again if it is a server's error message",     \
    }

#define BACKUP(name, command)                                                  \
    .is = {                                                                    \
        .what = name,                                                          \
        .advice = "restore the disk with '" command "' first",                 \
    }

/* Only what users of disk images meet, with magics of 3 bytes at least: a guest
 * may write anything. What has a file system (ISO 9660, squashfs) is a disk. */
static const struct recognised table[] = {
    { COMPRESSED("a gzip", "gzip -d"), MAGIC(0, "\x1f\x8b\x08") },
    { COMPRESSED("an xz", "xz -d"), MAGIC(0, "\3757zXZ\0") },
    { COMPRESSED("a zstd", "zstd -d"), MAGIC(0, "\x28\xb5\x2f\xfd") },
    { COMPRESSED("a bzip2", "bzip2 -d"), .probe = is_bzip2 },
    { COMPRESSED("an lz4", "lz4 -d"), MAGIC(0, "\x04\x22\x4d\x18") },
    { COMPRESSED("an lz4", "lz4 -d"), MAGIC(0, "\x02\x21\x4c\x18") },
    { COMPRESSED("an lzip", "lzip -d"), MAGIC(0, "LZIP\1") },
    { COMPRESSED("an lzma", "xz -d"), .probe = is_lzma },
    { COMPRESSED("an lzop", "lzop -d"), MAGIC(0, "\x89LZO\0\r\n\x1a\n") },

    { TAR("an OVA"), .probe = tar_is_ova },
    { TAR("a tar"), .probe = tar_probe },
    { ARCHIVE("a zip", "unzip"), MAGIC(0, "PK\3\4") },
    { ARCHIVE("a zip", "unzip"), MAGIC(0, "PK\7\10PK\3\4") },
    { ARCHIVE("a 7z", "7z x"), MAGIC(0, "7z\xbc\xaf\x27\x1c") },
    { ARCHIVE("a rar", "unrar x"), MAGIC(0, "Rar!\x1a\7") },
    { ARCHIVE("a WIM", "wimapply"), MAGIC(0, "MSWIM\0\0\0") },

    { EVIDENCE("an EWF (E01)"), MAGIC(0, "EVF\t\r\n\xff\0") },
    { EVIDENCE("an EWF (Ex01)"), MAGIC(0, "EVF2\r\n\x81\0") },
    {
        .is = { "an EWF file (L01)", "it has files, not a disk" },
        .magic = MAGIC(0, "LVF\t\r\n\xff\0"),
    },
    {
        .is = { "an EWF file (Lx01)", "it has files, not a disk" },
        .magic = MAGIC(0, "LEF2\r\n\x81\0"),
    },
    {
        .is = { "an AFF image", "convert it with 'affconvert -r' first" },
        .magic = MAGIC(0, "AFF10\r\n\0"),
    },

    { BACKUP("a VMA backup of Proxmox", "vma extract"), MAGIC(0, "VMA\0") },
    { BACKUP("a partclone image", "partclone.restore"),
      MAGIC(0, "partclone-image") },
    { BACKUP("an ntfsclone image", "ntfsclone --restore-image"),
      MAGIC(0, "\0ntfsclone-image") },

    {
        .is = { "an Android sparse image", "convert it with 'simg2img' first" },
        .magic = MAGIC(0, "\x3a\xff\x26\xed"),
    },
    {
        .is = { "an Apple sparse image",
                "convert it with 'hdiutil convert' first" },
        .magic = MAGIC(0, "sprs\0\0\0\3"),
    },
    {
        .is = { "an encrypted Apple disk image",
                "convert it with 'hdiutil convert' first" },
        .magic = MAGIC(0, "encrcdsa"),
    },
    {
        /* Of a change log, which leaves its flat disk out, or of a version that
         * QEMU does not know. */
        .is = { "a Bochs image of a kind that QEMU does not read",
                "convert or commit it with 'bximage' first" },
        .magic = MAGIC(0, "Bochs Virtual HD Image\0"),
    },
    {
        .is = { "a Parallels image of a version that QEMU does not read",
                "convert it with 'prl_disk_tool' first" },
        .magic = MAGIC(0, "WithoutFreeSpace"),
    },
    {
        .is = { "a Parallels image of a version that QEMU does not read",
                "convert it with 'prl_disk_tool' first" },
        .magic = MAGIC(0, "WithouFreSpacExt"),
    },

    {
        .is = { "a Git LFS pointer", "get the file with 'git lfs pull'" },
        .magic = MAGIC(0, "version https://git-lfs.github.com/spec/"),
    },
    {
        .is = { "a git-annex pointer", "get the file with 'git annex get'" },
        .magic = MAGIC(0, "/annex/objects/"),
    },
    {
        .is = { "a VMDK descriptor with a byte order mark",
                "remove the mark, its first 3 bytes" },
        .magic = MAGIC(0, BYTE_ORDER_MARK "# Disk DescriptorFile"),
    },
    {
        .is = { "a VMDK descriptor in UTF-16",
                "convert it with 'iconv -f UTF-16 -t UTF-8' first" },
        .magic = MAGIC(0, "\xff\xfe#\0 \0D\0i\0s\0k\0 \0D\0e\0s\0c\0"),
    },
    { ANSWER("a web page (HTML)"), .probe = is_html },
    { ANSWER("a JSON text"), .probe = is_json },
    {
        .is = { "an XML text",
                "give the disk that it describes, or get the image "
                "again if it is a server's error message" },
        .probe = is_xml,
    },
};

const struct non_disk *non_disk_find(const unsigned char *start, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const struct recognised *r = &table[i];

        if (magic_matches(&r->magic, start, len) ||
            (r->probe && r->probe(start, len)))
            return &r->is;
    }
    return NULL;
}

/* What comes before an advice that needs a file of its own. */
static const char *first(const struct lookalike *l, enum lookalike_place place)
{
    bool has_members = l->non_disk && l->non_disk->has_members;

    if (place == LOOKALIKE_PIPE && (l->format || has_members))
        return "from a file, ";
    if (place == LOOKALIKE_MEMBER && has_members)
        return "extract it first, then ";
    return "";
}

void lookalike_describe(const struct lookalike *l, enum lookalike_place place,
                        char text[LOOKALIKE_TEXT])
{
    char what[32], advice[64];
    const struct non_disk image = { .what = what, .advice = advice };
    const struct non_disk *is = l->non_disk ? l->non_disk : &image;

    if (!l->non_disk) {
        snprintf(what, sizeof(what), "a %s image", l->format);
        snprintf(advice, sizeof(advice), "-f %s reads the disk in it",
                 l->format);
    }
    snprintf(text, LOOKALIKE_TEXT,
             "it looks like %s, but is read as raw; %s%s; -f raw stops this "
             "warning",
             is->what, first(l, place), is->advice);
}

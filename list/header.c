/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/header.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "blkhash.h"
#include "common/bytes.h"
#include "list/record.h"

/* All numbers are little-endian. The source follows. */
#define AT_MAGIC 0
#define AT_VERSION 8
#define AT_SIZE 12
#define AT_BLOCK_SIZE 16
#define AT_FIRST_BLOCK 24
#define AT_LENGTH 32
#define AT_DIGEST 40

#define MAGIC "BLKLIST" /* and the NUL */
#define VERSION 1

_Static_assert(sizeof(MAGIC) == LIST_MAGIC_SIZE, "and its size");
_Static_assert(AT_DIGEST + LIST_DIGEST_NAME == LIST_FIXED_HEADER,
               "the name of the digest is the last field");

bool list_may_be_list(const void *bytes, size_t len)
{
    return memcmp(bytes, MAGIC, len < sizeof(MAGIC) ? len : sizeof(MAGIC)) == 0;
}

bool list_is_list(const void *bytes, size_t len)
{
    return len >= sizeof(MAGIC) && list_may_be_list(bytes, len);
}

uint64_t list_header_blocks(const struct list_header *header)
{
    uint64_t length =
        header->length == LIST_LENGTH_UNKNOWN ? INT64_MAX : header->length;
    uint64_t blocks =
        length / header->block_size + (length % header->block_size != 0);

    if (header->length == LIST_LENGTH_UNKNOWN && blocks > LIST_MAX_COUNT)
        return LIST_MAX_COUNT;
    return blocks;
}

uint64_t list_header_blocks_left(const struct list_header *header)
{
    return list_header_blocks(header) - header->first_block;
}

size_t list_header_size(const struct list_header *header)
{
    return LIST_FIXED_HEADER + header->source_len;
}

/* Whether it can be a name: printable, in lower case, and padded with NULs. */
static bool is_name(const char digest[LIST_DIGEST_NAME])
{
    size_t len = strnlen(digest, LIST_DIGEST_NAME);

    for (size_t i = 0; i < len; i++) {
        if (digest[i] <= ' ' || digest[i] > '~' ||
            (digest[i] >= 'A' && digest[i] <= 'Z'))
            return false;
    }
    for (size_t i = len; i < LIST_DIGEST_NAME; i++) {
        if (digest[i])
            return false;
    }
    return len > 0 && len < LIST_DIGEST_NAME;
}

int list_header_check(const struct list_header *header, const char *name,
                      struct error *error)
{
    if (header->block_size == 0 || header->block_size > BLKHASH_MAX_BLOCK_SIZE)
        return error_set(error, EINVAL,
                         "%s: broken digest list: the block size is %" PRIu64
                         ", not 1 to %d",
                         name, header->block_size, BLKHASH_MAX_BLOCK_SIZE);
    if (header->length != LIST_LENGTH_UNKNOWN && header->length > INT64_MAX)
        return error_set(error, EINVAL,
                         "%s: broken digest list: the disk has %" PRIu64
                         " bytes, more than 2^63 - 1",
                         name, header->length);
    if (list_header_blocks(header) > LIST_MAX_COUNT)
        return error_set(error, EFBIG,
                         "%s: a digest list cannot have %" PRIu64 " blocks",
                         name, list_header_blocks(header));
    if (header->length == LIST_LENGTH_UNKNOWN && header->first_block)
        return error_set(error, EINVAL,
                         "%s: broken digest list: a part of a disk of unknown "
                         "length",
                         name);
    if (header->first_block > list_header_blocks(header))
        return error_set(error, EINVAL,
                         "%s: broken digest list: the first block is %" PRIu64
                         ", but the disk has %" PRIu64,
                         name, header->first_block, list_header_blocks(header));
    if (!is_name(header->digest))
        return error_set(error, EINVAL,
                         "%s: broken digest list: the digest at offset %d is "
                         "not a name",
                         name, AT_DIGEST);
    if (header->source_len > LIST_MAX_CHUNK - LIST_FIXED_HEADER)
        return error_set(error, EINVAL,
                         "%s: broken digest list: the header has %zu bytes, "
                         "not %d to %d",
                         name, list_header_size(header), LIST_FIXED_HEADER,
                         LIST_MAX_CHUNK);
    return 0;
}

void list_header_encode(const struct list_header *header, unsigned char *out)
{
    memcpy(out + AT_MAGIC, MAGIC, sizeof(MAGIC));
    put_le32(out + AT_VERSION, VERSION);
    put_le32(out + AT_SIZE, (uint32_t)list_header_size(header));
    put_le64(out + AT_BLOCK_SIZE, header->block_size);
    put_le64(out + AT_FIRST_BLOCK, header->first_block);
    put_le64(out + AT_LENGTH, header->length);
    memcpy(out + AT_DIGEST, header->digest, LIST_DIGEST_NAME);
    if (header->source_len)
        memcpy(out + LIST_FIXED_HEADER, header->source, header->source_len);
}

int list_header_decode(const unsigned char *in, const char *name,
                       struct list_header *header, size_t *size,
                       struct error *error)
{
    uint32_t version = get_le32(in + AT_VERSION);

    if (!list_is_list(in, LIST_FIXED_HEADER))
        return error_set(error, EINVAL, "%s: not a digest list", name);
    if (version != VERSION)
        return error_set(error, ENOTSUP,
                         "%s: version %" PRIu32
                         " of digest lists is not supported, only %d",
                         name, version, VERSION);
    *size = get_le32(in + AT_SIZE);
    if (*size < LIST_FIXED_HEADER || *size > LIST_MAX_CHUNK)
        return error_set(error, EINVAL,
                         "%s: broken digest list: the header has %zu bytes, "
                         "not %d to %d",
                         name, *size, LIST_FIXED_HEADER, LIST_MAX_CHUNK);
    *header = (struct list_header){
        .block_size = get_le64(in + AT_BLOCK_SIZE),
        .first_block = get_le64(in + AT_FIRST_BLOCK),
        .length = get_le64(in + AT_LENGTH),
    };
    memcpy(header->digest, in + AT_DIGEST, LIST_DIGEST_NAME);
    return list_header_check(header, name, error);
}

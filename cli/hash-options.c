/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is hashed: the digest, and the content of the disk.
 */
#include <stdint.h>

#include "cli/digest-option.h"
#include "cli/expect.h"
#include "cli/message.h"
#include "cli/option-value.h"
#include "cli/option.h"
#include "cli/options.h"
#include "cli/part-options.h"
#include "common/array.h"
#include "format/format.h"

static const char *const block_sizes[] = { "4k", "16k", "64k", "256k",
                                           "1M", "4M",  "16M", NULL };
static const char *const disk_sizes[] = { "64G", "1T", "16T", NULL };
static const char *const offsets[] = { "512", "1M", "1G", NULL };
static const char *const objects[] = { "secret,id=", "tls-creds-x509,id=",
                                       "tls-creds-psk,id=", NULL };

static const char *format_name(size_t n)
{
    return n < format_count ? formats[n].name : NULL;
}

/* QEMU has drivers that are not in the table, so only what is nearly right is
 * an error here. */
static enum options_result set_format(struct options *o, char *argument)
{
    const char *suffix;
    const struct format *meant = NULL;

    o->image.format = argument;
    if (!format_find(argument))
        meant = format_meant_by(argument, &suffix);
    if (!meant)
        return OPTIONS_RUN;
    if (suffix)
        usage_message("unknown format '%s': the format of .%s files is '%s'",
                      argument, suffix, meant->name);
    else
        usage_message("unknown format '%s'; did you mean '%s'?", argument,
                      meant->name);
    return OPTIONS_BAD;
}

static enum options_result set_snapshot(struct options *o, char *argument)
{
    o->image.snapshot = argument;
    return OPTIONS_RUN;
}

static enum options_result add_object(struct options *o, char *argument)
{
    o->objects[o->image.object_count++] = argument;
    return OPTIONS_RUN;
}

static enum options_result set_max_size(struct options *o, char *argument)
{
    return option_size("maximum size", argument, 1, INT64_MAX,
                       &o->image.max_size);
}

static const struct option_info options[] = {
    {
        .name = "digest",
        .letter = 'd',
        .argument = "NAME",
        .kind = "digest",
        .words = block_sizes,
        .brief = "default sha256",
        .help = "digest, or digest/block size",
        .set = digest_option,
        .hash_only = true,
    },
    {
        .name = "algorithm",
        .letter = 'a',
        .argument = "NAME",
        .kind = "digest",
        .words = block_sizes,
        .help = "the same as --digest",
        .set = digest_option,
        .hash_only = true,
    },
    {
        .name = "block-size",
        .argument = "SIZE",
        .kind = "words",
        .words = block_sizes,
        .brief = "default 64k",
        .help = "size of a block",
        .set = block_size_option,
        .hash_only = true,
    },
    {
        .name = "plain",
        .argument = "NAME",
        .kind = "digest",
        .help = "digest of the bytes of the disk, as sha256sum computes it",
        .set = plain_option,
    },
    {
        .name = "expect",
        .argument = "HEX",
        .kind = "words",
        .help = "the checksum that the image must have",
        .set = expect_option,
    },
    {
        .name = "list-digests",
        .blksum_letter = 'l',
        .brief = "print the names",
        .help = "print the names of the digests",
        .set = list_digests_option,
    },
    {
        .name = "format",
        .letter = 'f',
        .argument = "FMT",
        .kind = "words",
        .word = format_name,
        .brief = "default: probe",
        .help = "format of the images",
        .set = set_format,
        .image_only = true,
    },
    {
        .name = "snapshot",
        .letter = 'l',
        .argument = "NAME",
        .kind = "snapshot",
        .brief = "by name or ID",
        .help = "internal snapshot, by name or ID",
        .set = set_snapshot,
        .image_only = true,
    },
    {
        .name = "member",
        .argument = "NAME",
        .kind = "words",
        .help = "the image in a tar archive, such as an OVA",
        .set = member_option,
    },
    {
        .name = "offset",
        .argument = "SIZE",
        .kind = "words",
        .words = offsets,
        .help = "where the part of the disk begins that is hashed",
        .set = offset_option,
    },
    {
        .name = "length",
        .argument = "SIZE",
        .kind = "words",
        .words = disk_sizes,
        .help = "length of the part of the disk that is hashed",
        .set = length_option,
    },
    {
        .name = "image-opts",
        .help = "images are QEMU option strings",
        .flag = offsetof(struct options, image.image_opts),
        .image_only = true,
    },
    {
        .name = "object",
        .argument = "DEF",
        .kind = "object",
        .words = objects,
        .help = "secret or TLS credentials for QEMU and NBD",
        .set = add_object,
    },
    {
        .name = "standalone",
        .help = "refuse an image that refers to another file",
        .flag = offsetof(struct options, image.standalone),
    },
    {
        .name = "trust-names",
        .help = "follow names in images even if they are not plain files",
        .flag = offsetof(struct options, image.trust_names),
    },
    {
        .name = "max-size",
        .argument = "SIZE",
        .kind = "words",
        .words = disk_sizes,
        .help = "refuse a larger disk",
        .set = set_max_size,
    },
};

const struct option_group hash_options = {
    .title = "What is hashed",
    .options = options,
    .count = ARRAY_SIZE(options),
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digest lists: the digests of all blocks of a disk, in a file.
 */
#include "cli/list-options.h"

#include <string.h>

#include "cli/digests.h"
#include "cli/message.h"
#include "cli/option.h"
#include "cli/shard.h"
#include "common/array.h"

static enum options_result take_file(const char *option, char *argument,
                                     const char **name)
{
    if (!*argument) {
        usage_message("the %s option requires a file name", option);
        return OPTIONS_BAD;
    }
    *name = argument;
    return OPTIONS_RUN;
}

static enum options_result set_write(struct options *o, char *argument)
{
    return take_file("--write-list", argument, &o->digest_list.write);
}

static enum options_result set_base(struct options *o, char *argument)
{
    return take_file("--base", argument, &o->digest_list.base);
}

static enum options_result set_base_image(struct options *o, char *argument)
{
    return take_file("--base-image", argument, &o->digest_list.base_image);
}

static enum options_result set_bitmap(struct options *o, char *argument)
{
    o->image.bitmap = argument;
    return OPTIONS_RUN;
}

static enum options_result set_changes(struct options *o, char *argument)
{
    return take_file("--changes", argument, &o->digest_list.changes);
}

static enum options_result set_shard(struct options *o, char *argument)
{
    return shard_parse(argument, &o->digest_list.shard);
}

static const struct option_info options[] = {
    {
        .name = "write-list",
        .argument = "FILE",
        .brief = "block digests",
        .help = "write the digests of all blocks to a file",
        .set = set_write,
    },
    {
        .name = "resume",
        .brief = "continue FILE",
        .help = "continue a list that was interrupted",
        .flag = offsetof(struct options, digest_list.resume),
    },
    {
        .name = "base",
        .argument = "LIST",
        .brief = "reuse digests",
        .help = "read only what has changed since a list was written",
        .set = set_base,
    },
    {
        .name = "base-image",
        .argument = "FILE",
        .brief = "layers above it",
        .help = "the file of the backing chain that the list is of",
        .set = set_base_image,
    },
    {
        .name = "bitmap",
        .argument = "NAME",
        .kind = "bitmap",
        .brief = "dirty bitmap",
        .help = "the dirty bitmap that says what has changed",
        .set = set_bitmap,
    },
    {
        .name = "changes",
        .argument = "FILE",
        .brief = "changes as JSON",
        .help = "ranges that have changed, as JSON",
        .set = set_changes,
    },
    {
        .name = "shard",
        .argument = "I/N",
        .kind = "words",
        .words = shard_words,
        .help = "hash only part I of N",
        .set = set_shard,
    },
    {
        .name = "merge",
        .help = "put the digest lists of parts together",
        .flag = offsetof(struct options, digest_list.merge),
    },
    {
        .name = "show",
        .help = "print the checksums of digest lists",
        .flag = offsetof(struct options, digest_list.show),
    },
};

const struct option_group list_options = {
    .title = "Digest lists",
    .options = options,
    .count = ARRAY_SIZE(options),
};

/* --- options that do not go together ------------------------------------ */

static bool refuse_pair(const char *a, const char *b)
{
    usage_message("the %s and %s options are mutually exclusive", a, b);
    return false;
}

/* Of options that say what the operands are, there can be one. */
static bool verify_mode(const struct options *o)
{
    const struct {
        const char *name;
        bool given;
    } modes[] = {
        { "--check", o->list.check },
        { "--diff", o->digest_list.diff },
        { "--show", o->digest_list.show },
        { "--merge", o->digest_list.merge },
        { "--write-list", o->digest_list.write && !o->digest_list.merge },
    };
    const char *mode = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (modes[i].given && mode)
            return refuse_pair(mode, modes[i].name);
        if (modes[i].given)
            mode = modes[i].name;
    }
    return true;
}

static bool is_standard_output(const char *name)
{
    return strcmp(name, "-") == 0 || strcmp(name, "/dev/stdout") == 0;
}

static bool verify_write(const struct options *o)
{
    const char *output = digests_output(o);

    if (output && is_standard_output(o->digest_list.write)) {
        usage_message("%s and the list cannot both go to standard output",
                      output);
        return false;
    }
    if (o->image_count > 1 && !o->digest_list.merge) {
        usage_message("--write-list takes one image");
        return false;
    }
    return true;
}

/* What says what has changed since the list was written. */
static bool verify_ways(const struct options *o)
{
    const struct {
        const char *name;
        bool given;
    } ways[] = {
        { "--base-image", o->digest_list.base_image },
        { "--bitmap", o->image.bitmap },
        { "--changes", o->digest_list.changes },
    };
    const char *way = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        if (ways[i].given && way)
            return refuse_pair(way, ways[i].name);
        if (ways[i].given)
            way = ways[i].name;
    }
    if (!way == !o->digest_list.base)
        return true;
    if (way)
        usage_message("the %s option requires --base", way);
    else
        usage_message("the --base option requires --base-image, --bitmap or "
                      "--changes");
    return false;
}

/* Standard input can be read as one thing only. */
static bool verify_stdin(const struct options *o)
{
    const char *const names[] = {
        o->digest_list.base,
        o->digest_list.changes,
        o->image_count ? o->images[0] : "-",
    };
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        count += names[i] && strcmp(names[i], "-") == 0;
    if (count > 1)
        usage_message("only one of the list, the changes and the image can be "
                      "standard input");
    return count <= 1;
}

static bool verify_base(const struct options *o)
{
    if (!verify_ways(o))
        return false;
    if (!o->digest_list.base)
        return true;
    if (o->list.check)
        return refuse_pair("--check", "--base");
    if (o->digest_list.show)
        return refuse_pair("--show", "--base");
    if (o->digest_list.diff)
        return refuse_pair("--diff", "--base");
    if (o->image_count > 1) {
        usage_message("--base takes one image");
        return false;
    }
    return verify_stdin(o);
}

static bool verify_needs(bool given, const char *name, bool has_list)
{
    if (given && !has_list)
        usage_message("the %s option requires --write-list", name);
    return !given || has_list;
}

static bool verify_diff(const struct options *o)
{
    if (o->command || o->image_count != 2) {
        usage_message("--diff takes two images or digest lists");
        return false;
    }
    if (strcmp(o->images[0], "-") == 0 && strcmp(o->images[1], "-") == 0) {
        usage_message("only one of the two can be standard input");
        return false;
    }
    if (o->list.tag || o->list.zero)
        return refuse_pair("--diff", o->list.tag ? "--tag" : "--zero");
    return true;
}

/* Options for images, where the operands are lists. */
static bool verify_merge(const struct digest_list_options *l)
{
    if (l->resume)
        return refuse_pair("--merge", "--resume");
    if (l->shard.count)
        return refuse_pair("--merge", "--shard");
    return !l->base || refuse_pair("--merge", "--base");
}

/* Whether an option would do nothing. The digest is that of a list, or the
 * bytes of two images are compared. */
static bool verify_meaning(const struct options *o)
{
    const struct digest_list_options *l = &o->digest_list;
    const char *lists = l->show ? "show" : l->merge ? "merge" : NULL;
    const char *option = lists ? o->image_only : NULL;

    if (!option && (lists || l->diff))
        option = o->hash_only;
    if (option)
        usage_message("the --%s and --%s options are mutually exclusive",
                      lists ? lists : "diff", option);
    return !option;
}

bool list_options_verify(const struct options *o)
{
    const struct digest_list_options *l = &o->digest_list;

    if (!verify_mode(o))
        return false;
    if (!verify_meaning(o))
        return false;
    if (l->merge && !verify_merge(l))
        return false;
    if (!verify_needs(l->resume, "--resume", l->write) ||
        !verify_needs(l->shard.count, "--shard", l->write) || !verify_base(o))
        return false;
    if (l->diff)
        return verify_diff(o);
    return !l->write || verify_write(o);
}

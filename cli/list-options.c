/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digest lists: the digests of all blocks of a disk, in a file.
 */
#include "cli/list-options.h"

#include <string.h>

#include "cli/message.h"
#include "cli/option.h"
#include "common/array.h"

static enum options_result set_write(struct options *o, char *argument)
{
    if (!*argument) {
        usage_message("the --write-list option requires a file name");
        return OPTIONS_BAD;
    }
    o->digest_list.write = argument;
    return OPTIONS_RUN;
}

static const struct option_info options[] = {
    {
        .name = "write-list",
        .argument = "FILE",
        .brief = "digests to FILE",
        .help = "write the digests of all blocks to a file",
        .set = set_write,
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
        { "--show", o->digest_list.show },
        { "--write-list", o->digest_list.write },
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
    if (o->list.json && is_standard_output(o->digest_list.write)) {
        usage_message("--json and the list cannot both go to standard output");
        return false;
    }
    if (o->image_count > 1) {
        usage_message("--write-list takes one image");
        return false;
    }
    return true;
}

bool list_options_verify(const struct options *o)
{
    const struct digest_list_options *l = &o->digest_list;

    if (!verify_mode(o))
        return false;
    if (l->show && o->command) {
        usage_message("--show takes lists, not a command");
        return false;
    }
    return !l->write || verify_write(o);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/options.h"

#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/null-digest.h"
#include "cli/option-table.h"
#include "cli/output.h"
#include "common/array.h"

static enum options_result set_files_from(struct options *o, char *argument)
{
    o->files_from = argument;
    return OPTIONS_RUN;
}

static const struct option_info options[] = {
    {
        .name = "files-from",
        .argument = "FILE",
        .help = "read names of images from a file, one on a line",
        .set = set_files_from,
    },
    {
        .name = "null",
        .letter = '0',
        .help = "the names in that file end with NUL, not newline",
        .flag = offsetof(struct options, files_null),
    },
};

const struct option_group mpi_options = {
    .title = "Many images",
    .options = options,
    .count = ARRAY_SIZE(options),
};

/* --- what does not go together ------------------------------------------ */

bool mpi_options_verify(const struct options *o)
{
    const char *wrong = NULL;

    if (o->command)
        wrong = "each rank would start the command; start it once, and use an "
                "NBD URI";
    else if (o->image_count == 0 && !o->files_from)
        wrong = "no image was given";
    else if (o->digest_list.diff && o->files_from)
        wrong = "the --diff and --files-from options are mutually exclusive";
    else if (o->files_null && !o->files_from)
        wrong = "the --null option requires --files-from";
    else if (o->engine.hash_count > 1)
        wrong = "there can be only one digest";
    else if (is_null_digest(o->engine.hashes[0].digest))
        wrong = "the digest null computes nothing";
    if (wrong)
        usage_message("%s", wrong);
    return !wrong;
}

/* --- help --------------------------------------------------------------- */

static void print_option(const struct option_info *info)
{
    bool has_argument = option_argument(info) == required_argument;
    char names[64], letter[] = "-x, ";

    letter[1] = info->letter;
    snprintf(names, sizeof(names), "%s--%s%s%s", info->letter ? letter : "",
             info->name, has_argument ? "=" : "",
             has_argument ? info->argument : "");
    fprintf(output(), "  %-26s %s\n", names, info->help);
}

void mpi_help_print(void)
{
    const struct option_info *info;

    fputs("Usage: mpirun " PROGRAM " [OPTION]... IMAGE...\n"
          "Print checksums of guests' disks, as disksum does, on many machines."
          "\n\n",
          output());
    for (size_t n = 0; (info = option_at(n)) != NULL; n++) {
        if (info->help)
            print_option(info);
    }
    fputs("\nExit: 0 success, 1 failure, 2 bad usage\n", output());
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options that print something other than checksums.
 */
#include <stdio.h>

#include "cli/message.h"
#include "cli/option.h"
#include "cli/output.h"
#include "common/array.h"

static enum options_result ask_help(struct options *o, char *argument)
{
    (void)o;
    (void)argument;
    return OPTIONS_HELP;
}

static enum options_result ask_list(struct options *o, char *argument)
{
    (void)o;
    (void)argument;
    return OPTIONS_LIST;
}

static enum options_result print_version(struct options *o, char *argument)
{
    (void)o;
    (void)argument;
    fprintf(output(), "%s\n", PROGRAM " " VERSION);
    return OPTIONS_DONE;
}

static const struct option_info options[] = {
    {
        .name = "help",
        .letter = 'h',
        .help = "print the options",
        .set = ask_help,
    },
    {
        .name = "version",
        .letter = 'V',
        .help = "print the version",
        .set = print_version,
    },
    {
        .name = "long-options",
        .set = ask_list,
    },
};

const struct option_group other_options = {
    .options = options,
    .count = ARRAY_SIZE(options),
};

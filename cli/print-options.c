/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is printed, and how.
 */
#include "cli/option-value.h"
#include "cli/option.h"
#include "cli/options.h"
#include "cli/percent.h"
#include "common/array.h"

enum { HUMAN, JSON };

static const char *const output_formats[] = {
    [HUMAN] = "human",
    [JSON] = "json",
    NULL,
};

static enum options_result set_output(struct options *o, char *argument)
{
    unsigned format = HUMAN;
    enum options_result result =
        option_word("output format", argument, output_formats, &format);

    o->list.json = format == JSON;
    return result;
}

static enum options_result set_progress(struct options *o, char *argument)
{
    o->progress.always = true;
    if (!argument)
        return OPTIONS_RUN;
    o->progress.to_fd = percent_parse_fd(argument, &o->progress.fd);
    return o->progress.to_fd ? OPTIONS_RUN : OPTIONS_BAD;
}

static enum options_result set_quiet(struct options *o, char *argument)
{
    (void)argument;
    o->list.verbosity = VERBOSITY_QUIET;
    return OPTIONS_RUN;
}

static const struct option_info options[] = {
    {
        .name = "tag",
        .help = "print lines that name the digest",
        .flag = offsetof(struct options, list.tag),
    },
    {
        .name = "zero",
        .letter = 'z',
        .help = "end lines with NUL, and do not escape names",
        .flag = offsetof(struct options, list.zero),
    },
    {
        .name = "json",
        .brief = "one per image",
        .help = "print a JSON object for each image",
        .flag = offsetof(struct options, list.json),
    },
    {
        .name = "output",
        .argument = "FORMAT",
        .kind = "words",
        .words = output_formats,
        .help = "output format",
        .set = set_output,
    },
    {
        .name = "progress",
        .letter = 'p',
        .argument = "FD",
        .optional = true,
        .kind = "descriptor",
        .brief = "a bar, or to FD",
        .help = "show progress",
        .set = set_progress,
    },
    {
        .name = "quiet",
        .letter = 'q',
        .brief = "errors only",
        .help = "print errors only",
        .set = set_quiet,
    },
    {
        .name = "verbose",
        .letter = 'v',
        .brief = "what was done",
        .help = "print what was done, and how fast",
        .flag = offsetof(struct options, verbose),
    },
};

const struct option_group print_options = {
    .title = "What is printed",
    .options = options,
    .count = ARRAY_SIZE(options),
};

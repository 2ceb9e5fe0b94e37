/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How lists are checked: the options of sha256sum. And how images are compared.
 */
#include "cli/check-options.h"

#include "cli/message.h"
#include "cli/option.h"
#include "common/array.h"

static enum options_result set_status(struct options *o, char *argument)
{
    (void)argument;
    o->list.verbosity = VERBOSITY_STATUS;
    return OPTIONS_RUN;
}

static enum options_result set_warn(struct options *o, char *argument)
{
    (void)argument;
    o->list.verbosity = VERBOSITY_WARN;
    return OPTIONS_RUN;
}

static const struct option_info options[] = {
    {
        .name = "check",
        .letter = 'c',
        .brief = "verify images",
        .help = "verify images against lists of checksums",
        .flag = offsetof(struct options, list.check),
    },
    {
        .name = "diff",
        .brief = "find differences",
        .help = "print where two images or digest lists differ",
        .flag = offsetof(struct options, digest_list.diff),
    },
    {
        .name = "ignore-missing",
        .help = "skip images that do not exist",
        .flag = offsetof(struct options, list.ignore_missing),
        .check_only = true,
    },
    {
        .name = "status",
        .help = "print no verdicts, only set the exit status",
        .set = set_status,
        .check_only = true,
    },
    {
        .name = "strict",
        .help = "fail if a line is improperly formatted",
        .flag = offsetof(struct options, list.strict),
        .check_only = true,
    },
    {
        .name = "warn",
        .letter = 'w',
        .help = "report each improperly formatted line",
        .set = set_warn,
        .check_only = true,
    },
};

const struct option_group check_options = {
    .title = "Check and compare",
    .options = options,
    .count = ARRAY_SIZE(options),
};

static bool check_exclusive(bool a, bool b, const char *names)
{
    if (!a || !b)
        return true;
    usage_message("the %s options are mutually exclusive", names);
    return false;
}

static bool check_meaning(bool given, const char *name, const char *meaning)
{
    if (!given)
        return true;
    usage_message("the --%s option is %s when verifying checksums", name,
                  meaning);
    return false;
}

bool check_options_verify(const struct list_options *l)
{
    if (l->check)
        return check_meaning(l->zero, "zero", "not supported") &&
               check_meaning(l->tag, "tag", "meaningless") &&
               check_meaning(l->json, "json", "not supported");
    return check_meaning(l->check_only, l->check_only, "meaningful only") &&
           check_exclusive(l->json, l->tag, "--json and --tag") &&
           check_exclusive(l->json, l->zero, "--json and --zero");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "cli/check.h"
#include "cli/checksum.h"
#include "cli/diff.h"
#include "cli/expect.h"
#include "cli/help.h"
#include "cli/json-sum.h"
#include "cli/list-merge.h"
#include "cli/list-show.h"
#include "cli/list-write.h"
#include "cli/message.h"
#include "cli/option-list.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/run.h"
#include "cli/start.h"
#include "cli/sums.h"
#include "cli/workload.h"
#include "common/path.h"
#include "image/image.h"
#include "process/confine.h"

/* Write a line or an object for each digest of an image, or an object for all
 * of them if it failed. False when out of memory. */
static bool write_sums(const struct options *o, const struct checksum *c)
{
    unsigned count = c->error.code ? 1 : o->engine.hash_count;

    for (unsigned i = 0; i < count; i++) {
        const struct sums_line line = checksum_line(c, o, i);

        if (!o->list.json)
            sums_write(output(), &o->list, &line);
        else if (!json_write_sum(output(), o, c, &line))
            return false;
    }
    return true;
}

static bool print_sums(const struct options *o, const struct checksum *c)
{
    bool ok = write_sums(o, c);

    if (!ok && !c->error.code)
        message("%s: out of memory", c->name);
    return ok;
}

static void print_verdict(const struct options *o, const struct checksum *c)
{
    const struct sums_line line = checksum_line(c, o, o->expected.hash);

    expect_print(o, &line, c->matches);
}

/* Print the checksums of one image, or why there is none, or whether it is the
 * one that is expected. list: where its digests go, or NULL. */
static bool print_checksums(const struct options *o, struct list_write *list,
                            const char *name)
{
    struct checksum c;
    bool ok;

    workload_next(o, name, NULL);
    ok = checksum_begin(&c, o, list, name) == 0;

    if (!ok)
        message("%s", error_message(&c.error));
    if (ok && o->expected.hex && !o->list.json)
        print_verdict(o, &c);
    else if (o->list.json || (ok && !o->digest_list.shard.count &&
                              !(list && list_write_is_on_stdout(list))))
        ok = print_sums(o, &c) && ok;
    ok = ok && c.matches;
    checksum_end(&c);
    output_flush();
    return ok;
}

static bool do_one(const struct options *o, struct list_write *list,
                   const char *name)
{
    if (o->list.check)
        return check_list(o, name);
    if (o->digest_list.show)
        return list_show(o, name);
    return print_checksums(o, list, name);
}

static int do_all(const struct options *o, struct list_write *list)
{
    char dash[] = "-";
    char *standard_input[] = { dash };
    char **names = o->image_count ? o->images : standard_input;
    int count = o->image_count ? o->image_count : 1;
    int status = EXIT_SUCCESS;

    if (o->digest_list.merge)
        return list_merge_parts(o, list, names, count) ? EXIT_SUCCESS
                                                       : EXIT_FAILURE;
    if (!o->digest_list.show)
        workload_count(o, names, count);
    for (int i = 0; i < count; i++) {
        if (!do_one(o, list, names[i]))
            status = EXIT_FAILURE;
    }
    progress_finish();
    return status;
}

/* Whether an image may be on another host. A list can name any image. */
static bool may_connect(const struct options *o)
{
    bool remote = o->list.check || o->image.image_opts || o->image.trust_names;

    for (int i = 0; !remote && i < o->image_count; i++)
        remote = !path_of_name(o->images[i]);
    return remote;
}

/* Do what the options say, confined as far as they allow. */
static int run(const struct options *o)
{
    struct list_write *list = NULL;
    struct error error = ERROR_INIT;
    int status;

    if (o->digest_list.write && list_write_open(o, &list, &error)) {
        message("%s", error_message(&error));
        error_clear(&error);
        return EXIT_FAILURE;
    }
    /* A server that the user starts is not confined. */
    if (!o->command)
        confine_this_process(may_connect(o));
    status = o->digest_list.diff ? diff_run(o) : do_all(o, list);
    list_write_free(list);
    return status;
}

/* The exit status when something failed. */
static int failure(const struct options *o)
{
    return o->digest_list.diff ? EXIT_TROUBLE : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options;
    int status = EXIT_SUCCESS;

    start_process(argc, argv);
    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_RUN:
        if (options.blksum)
            run_tell_of_termination();
        status = run(&options);
        break;
    case OPTIONS_HELP:
        help_print(options.blksum);
        break;
    case OPTIONS_LIST:
        option_list_print(options.blksum);
        break;
    case OPTIONS_DONE:
        break;
    case OPTIONS_BAD:
        status = EXIT_USAGE;
        break;
    case OPTIONS_FAILED:
        status = failure(&options);
        break;
    }
    if (!output_close() && status != EXIT_USAGE)
        status = failure(&options);
    options_free(&options);
    return status;
}

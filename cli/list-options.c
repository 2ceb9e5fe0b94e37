/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/list-options.h"

#include <string.h>

#include "cli/message.h"

static bool parse_output(const char *text, bool *json)
{
    *json = strcmp(text, "json") == 0;
    if (*json || strcmp(text, "human") == 0)
        return true;
    usage_message("invalid output format '%s': must be human or json", text);
    return false;
}

/* How much --check says: the last of these counts, as in GNU. */
static void set_voice(struct list_options *l, bool quiet, bool status,
                      bool warn)
{
    l->quiet = quiet;
    l->status = status;
    l->warn = warn;
}

bool list_option(struct list_options *l, int option, const char *arg)
{
    switch (option) {
    case 'c':
        l->check = true;
        break;
    case 'z':
        l->zero = true;
        break;
    case 'q':
        set_voice(l, true, false, false);
        break;
    case 'w':
        l->check_only = "--warn";
        set_voice(l, false, false, true);
        break;
    case OPT_STATUS:
        l->check_only = "--status";
        set_voice(l, false, true, false);
        break;
    case OPT_TAG:
        l->tag = true;
        break;
    case OPT_JSON:
        l->json = true;
        break;
    case OPT_OUTPUT:
        return parse_output(arg, &l->json);
    case OPT_IGNORE_MISSING:
        l->check_only = "--ignore-missing";
        l->ignore_missing = true;
        break;
    case OPT_STRICT:
        l->check_only = "--strict";
        l->strict = true;
        break;
    }
    return true;
}

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
    usage_message("the %s option is %s when verifying checksums", name,
                  meaning);
    return false;
}

bool list_options_check(const struct list_options *l)
{
    if (l->check)
        return check_meaning(l->zero, "--zero", "not supported") &&
               check_meaning(l->tag, "--tag", "meaningless") &&
               check_meaning(l->json, "--json", "not supported");
    return check_meaning(l->check_only, l->check_only, "meaningful only") &&
           check_exclusive(l->json, l->tag, "--json and --tag") &&
           check_exclusive(l->json, l->zero, "--json and --zero");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seccomp-profile FILE COMMAND ARG...: run a command under the filters of a
 * container or a service. The file has a line for each of:
 *
 *     filter ACTION         begin a filter; what it does with all other calls
 *     ACTION CALL...        what it does with these
 *     ACTION CALL if CONDITION    with this call, if the condition is true
 *     # a comment
 *
 * An action is 'allow', 'kill' or the name of an error. A condition is about
 * the argument with a number: 0=39, 0<38, 0>40, or 2&0x6=0x6 for some bits.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SPACE " \t\n"

static const struct {
    const char *name;
    uint32_t action;
} actions[] = {
    { "allow", SCMP_ACT_ALLOW },
    { "kill", SCMP_ACT_KILL_PROCESS },
    { "EPERM", SCMP_ACT_ERRNO(EPERM) },
    { "ENOSYS", SCMP_ACT_ERRNO(ENOSYS) },
    { "EAFNOSUPPORT", SCMP_ACT_ERRNO(EAFNOSUPPORT) },
};

static void fail(const char *what, const char *word)
{
    fprintf(stderr, "seccomp-profile: %s: %s\n", what, word);
    exit(2);
}

static uint32_t action_of(const char *word)
{
    for (size_t i = 0; word && i < sizeof(actions) / sizeof(*actions); i++) {
        if (strcmp(actions[i].name, word) == 0)
            return actions[i].action;
    }
    fail("no action", word ? word : "");
    return 0;
}

static struct scmp_arg_cmp condition_of(const char *word)
{
    struct scmp_arg_cmp c = { 0 };
    char *end;

    c.arg = strtoul(word, &end, 0);
    c.op = *end == '<' ? SCMP_CMP_LT : *end == '>' ? SCMP_CMP_GT : SCMP_CMP_EQ;
    if (*end == '&') {
        c.op = SCMP_CMP_MASKED_EQ;
        c.datum_a = strtoull(end + 1, &end, 0);
        c.datum_b = *end == '=' ? strtoull(end + 1, &end, 0) : 0;
    } else if (*end) {
        c.datum_a = strtoull(end + 1, &end, 0);
    }
    if (*end)
        fail("no condition", word);
    return c;
}

static void add_conditional(scmp_filter_ctx filter, uint32_t action,
                            const char *call)
{
    const char *word = strtok(NULL, SPACE);
    struct scmp_arg_cmp condition;

    if (!word)
        fail("no condition", call);
    condition = condition_of(word);
    if (seccomp_rule_add_array(filter, action,
                               seccomp_syscall_resolve_name(call), 1,
                               &condition) != 0)
        fail("no rule", call);
}

/* Calls that libseccomp does not know, or this architecture does not have, are
 * left to the filter's default. */
static void add_line(scmp_filter_ctx filter, uint32_t action)
{
    const char *call, *next = strtok(NULL, SPACE);

    while ((call = next)) {
        int number = seccomp_syscall_resolve_name(call);

        next = strtok(NULL, SPACE);
        if (next && strcmp(next, "if") == 0) {
            add_conditional(filter, action, call);
            return;
        }
        if (number >= 0 && seccomp_rule_add(filter, action, number, 0) != 0)
            fail("no rule", call);
    }
}

static void load(scmp_filter_ctx filter)
{
    if (filter && seccomp_load(filter) != 0)
        fail("cannot load", "a filter");
    seccomp_release(filter);
}

/* All are loaded at the end: one of them may forbid to load more. The last one
 * is loaded first, so an error of the first filter wins, as the kernel prefers
 * that of the newest. */
static void load_all(FILE *f)
{
    scmp_filter_ctx filters[16] = { NULL };
    size_t count = 0;
    char line[1024];

    while (fgets(line, sizeof(line), f)) {
        const char *word = strtok(line, SPACE);

        if (!word || *word == '#')
            continue;
        if (strcmp(word, "filter") == 0) {
            if (count == sizeof(filters) / sizeof(*filters))
                fail("too many filters", "");
            filters[count++] = seccomp_init(action_of(strtok(NULL, SPACE)));
        } else if (count > 0) {
            add_line(filters[count - 1], action_of(word));
        } else {
            fail("no filter before", word);
        }
    }
    while (count > 0)
        load(filters[--count]);
}

int main(int argc, char **argv)
{
    FILE *f;

    if (argc < 3)
        return 2;
    f = fopen(argv[1], "re");
    if (!f)
        fail("cannot open", argv[1]);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    load_all(f);
    fclose(f);
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 2;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/option-value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "common/units.h"

/* Enough for all words of an option. */
#define WORDS_SIZE 256

enum options_result option_size(const char *what, const char *text,
                                uint64_t min, uint64_t max, uint64_t *size)
{
    if (parse_size(text, size) == 0 && *size >= min && *size <= max)
        return OPTIONS_RUN;
    usage_message("invalid %s '%s': must be %" PRIu64 " to %" PRIu64, what,
                  text, min, max);
    return OPTIONS_BAD;
}

enum options_result option_number(const char *what, const char *text,
                                  unsigned min, unsigned max, unsigned *number)
{
    uint64_t size;
    enum options_result result = option_size(what, text, min, max, &size);

    if (result == OPTIONS_RUN)
        *number = (unsigned)size;
    return result;
}

/* Write "human or json". */
static void list_words(const char *const *words, char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; words[i] && n < size; i++) {
        const char *before = i == 0 ? "" : words[i + 1] ? ", " : " or ";

        n += snprintf(text + n, size - n, "%s%s", before, words[i]);
    }
}

enum options_result option_word(const char *what, const char *text,
                                const char *const *words, unsigned *index)
{
    char all[WORDS_SIZE];

    for (unsigned i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *index = i;
            return OPTIONS_RUN;
        }
    }
    list_words(words, all, sizeof(all));
    usage_message("invalid %s '%s': must be %s", what, text, all);
    return OPTIONS_BAD;
}

enum options_result option_no_memory(void)
{
    message("out of memory");
    return OPTIONS_FAILED;
}

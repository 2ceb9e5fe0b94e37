/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values of options. For a wrong one, these print a usage message and return
 * OPTIONS_BAD.
 */
#ifndef CLI_OPTION_VALUE_H
#define CLI_OPTION_VALUE_H

#include <stdint.h>

#include "cli/option.h"

/* Read a size or a number from min to max. what: its name, for the message. */
enum options_result option_size(const char *what, const char *text,
                                uint64_t min, uint64_t max, uint64_t *size);
enum options_result option_number(const char *what, const char *text,
                                  unsigned min, unsigned max, unsigned *number);

/* Find a word in a list that ends with NULL. */
enum options_result option_word(const char *what, const char *text,
                                const char *const *words, unsigned *index);

/* Print that memory ran out. Returns OPTIONS_FAILED. */
enum options_result option_no_memory(void);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text for a terminal. Names and messages can hold any bytes. Control
 * characters, and those that change the order or the position of others, are
 * written as octal escapes, and so are bytes that are not UTF-8.
 */
#ifndef CLI_SAFE_TEXT_H
#define CLI_SAFE_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Whether a character can be shown as it is. */
bool is_safe_character(uint32_t c);

/* Write the first character of a text that is not empty. Returns its bytes. */
unsigned safe_write_character(FILE *f, const char *text);

void safe_write(FILE *f, const char *text);

#endif

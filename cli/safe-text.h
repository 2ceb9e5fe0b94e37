/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text for a terminal. A file name or an image can hold any bytes: control
 * characters, escape sequences, and characters that change the order or the
 * place of what follows. They are printed as octal escapes.
 */
#ifndef CLI_SAFE_TEXT_H
#define CLI_SAFE_TEXT_H

#include <stdio.h>

/* Write the first character of a text that is not empty, and return its bytes.
 * What is not UTF-8 is a character of one byte. */
unsigned safe_write_character(FILE *f, const char *text);

void safe_write(FILE *f, const char *text);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks for a password on the terminal, without end if it is in the background:
 * it catches SIGTTIN, so that its read begins again.
 */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void again(int number)
{
    (void)number;
}

int main(void)
{
    struct sigaction action = { .sa_handler = again, .sa_flags = SA_RESTART };
    int fd = open("/dev/tty", O_RDWR);
    char password[100];

    sigaction(SIGTTIN, &action, NULL);
    if (write(fd, "Password: ", 10) != 10)
        return 1;
    return read(fd, password, sizeof(password)) <= 0;
}

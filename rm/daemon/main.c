/*
 * main.c - mr-rm.
 */
#include "rm/daemon/rm_daemon.h"

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &rm_daemon_definition);
}

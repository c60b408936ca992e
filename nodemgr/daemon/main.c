/*
 * main.c - mr-nodemgr.
 */
#include "nodemgr/daemon/nodemgr_daemon.h"

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &nodemgr_daemon_definition);
}

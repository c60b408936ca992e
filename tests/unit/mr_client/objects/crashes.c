/* crashes.c - a job object whose constructor crashes. */
#include <signal.h>

__attribute__((constructor)) static void crash(void)
{
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit code of it */
    (void)raise(SIGSEGV);
}

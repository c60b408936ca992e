/* hangs.c - a job object whose constructor never returns. */
#include <unistd.h>

__attribute__((constructor)) static void wait_for_ever(void)
{
    for (;;)
        (void)pause();
}

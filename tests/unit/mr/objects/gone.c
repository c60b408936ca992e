/* gone.c - a library that is there when needs_gone.so is linked, and not when it is loaded. */
int gone(void);

int gone(void)
{
    return 0;
}

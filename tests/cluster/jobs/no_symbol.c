/* no_symbol.c - a shared object that is no job. */
int nothing_to_see_here(void);

int nothing_to_see_here(void)
{
    return 0;
}

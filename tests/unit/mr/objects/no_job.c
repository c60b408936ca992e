/* no_job.c - a shared object that exports no job. */
int not_a_job(void);

int not_a_job(void)
{
    return 1;
}

# Each job is one source file: JOB_MODULES += jobs/wordcount.so is made from jobs/wordcount.c.

# Each job is one source file: jobs/wordcount.so is made from jobs/wordcount.c.
JOB_MODULES += \
	jobs/grep.so \
	jobs/sort.so \
	jobs/wordcount.so

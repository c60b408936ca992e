/*
 * limits.h - every limit of the tree, with unit and reason. What exceeds one is refused with
 * ERR_LIMIT (or ERR_INVALID where the thing itself is malformed), never cut silently.
 */
#ifndef MILLRACE_LIB_MODEL_LIMITS_H
#define MILLRACE_LIB_MODEL_LIMITS_H

enum {
    /* --- messages ---------------------------------------------------------------------------- */
    /* One message or journal record, bytes: the largest (a job with 100,000 attempts) is half. */
    LIMIT_MESSAGE_BYTES = 64 * 1024 * 1024,
    /* Elements of one repeated field. */
    LIMIT_REPEATED_COUNT = 1024 * 1024,
    /* Memory one message may take when it is unpacked: 2 bytes on the wire may become 100. */
    LIMIT_UNPACKED_BYTES = 512 * 1024 * 1024,
    /* Bytes of the sentence that travels with a failure: fits a metadata entry (8 KiB in all). */
    LIMIT_STATUS_TEXT_BYTES = 1023,
    /* Longest time a call may ask to be held open, ms: below every proxy's patience. */
    LIMIT_WAIT_MS = 60 * 1000,
    LIMIT_TOKEN_BYTES = 1024, /* bearer tokens and container grants are below 300 */

    /* --- filesystem -------------------------------------------------------------------------- */
    LIMIT_PATH_BYTES = 8000,     /* as HDFS; a whole path with its slashes */
    LIMIT_COMPONENT_BYTES = 255, /* one name, as every local filesystem below */
    LIMIT_PATH_DEPTH = 1000,     /* names in a path, as HDFS; bounds every walk up the tree */
    LIMIT_DIRECTORY_ENTRIES = 1024 * 1024,  /* as HDFS; a listing stays pageable */
    LIMIT_LIST_PAGE = 1000,                 /* entries of one ListStatus answer, about 200 KiB */
    LIMIT_REPLICAS = 16,                    /* 1..16 copies of a block: a pipeline's length */
    LIMIT_BLOCK_BYTES_MIN = 1024,           /* below it metadata outweighs data */
    LIMIT_BLOCK_BYTES = 1024 * 1024 * 1024, /* one block; a client holds one in memory */
    LIMIT_BLOCKS_PER_FILE = 64 * 1024,    /* 8 TiB at 128 MiB; an inode record stays below 2 MiB */
    LIMIT_BLOCKS_PER_REPORT_PART = 10000, /* about 250 KiB; one step stays short */
    LIMIT_BLOCK_CHANGES = 10000,          /* rows of one BlockChanges call, same reason */
    LIMIT_COMMANDS_PER_HEARTBEAT = 1000,  /* the rest goes with the next one */
    LIMIT_PUBLISH_ENTRIES = 20000,        /* files of one job's output: one a reduce, or a map */
    LIMIT_PERMISSION = 01777,             /* the highest permission value */
    LIMIT_OWNER_BYTES = 64,               /* user and group names, as useradd's 32, doubled */
    LIMIT_FILES_OPEN_PER_CLIENT = 10000,  /* files under construction of one client id */
    LIMIT_REQUESTS_REMEMBERED_MS = 10 * 60 * 1000, /* how long a retried mutation is recognised */
    LIMIT_FETCHES_OPEN = 64,                       /* parallel HTTP transfers of one process */

    /* --- resources --------------------------------------------------------------------------- */
    LIMIT_NODES = 16 * 1024,          /* of a cluster; 10,000 is the design's number */
    LIMIT_HOST_BYTES = 255,           /* host names, RFC 1035 */
    LIMIT_RACK_BYTES = 255,           /* "/rack0" */
    LIMIT_ADDRESS_BYTES = 300,        /* "host:port" */
    LIMIT_CONTAINERS_PER_NODE = 1000, /* processes one node manager watches */
    LIMIT_VCORES = 1024 * 1024,       /* of a node; keeps sums of a cluster in 64 bits */
    LIMIT_QUEUE_NAME_BYTES = 255,     /* "root.default", the whole dotted name */
    LIMIT_QUEUE_DEPTH = 8,            /* names in it */
    LIMIT_QUEUES = 1000,
    LIMIT_APP_NAME_BYTES = 255,
    LIMIT_APPS_ACTIVE = 10000,    /* not yet finished; as YARN's default */
    LIMIT_APPS_REMEMBERED = 1000, /* finished ones the resource manager still lists */
    LIMIT_APP_ATTEMPTS = 16,      /* masters of one application */
    LIMIT_ASKS = 100 * 1000,      /* rows of one master's ask table */
    LIMIT_ASK_WANT = 100 * 1000,  /* containers of one row */
    LIMIT_RELEASES = 10000,       /* containers given back in one call */
    LIMIT_PRIORITY = 1000 * 1000, /* the highest priority value */

    /* --- containers -------------------------------------------------------------------------- */
    LIMIT_ARGUMENTS = 1000,
    LIMIT_ENVIRONMENT = 1000,
    LIMIT_LAUNCH_STRING_BYTES = 128 * 1024 - 1, /* one argument or NAME=value: Linux's limit */
    LIMIT_LAUNCH_BYTES = 1024 * 1024, /* all of them; Linux takes a quarter of the stack, 2 MiB */
    LIMIT_LOCAL_RESOURCES = 1000,
    LIMIT_LOCAL_RESOURCE_BYTES = 1024 * 1024 * 1024, /* one file put into a working directory */
    LIMIT_DIAGNOSTICS_BYTES = 16 * 1024,             /* a cause and the last lines of stderr */

    /* --- jobs -------------------------------------------------------------------------------- */
    LIMIT_MAPS = 100 * 1000, /* map tasks of a job */
    LIMIT_REDUCES = 10000,   /* reduce tasks; maps x reduces segments are tracked */
    LIMIT_TASKS = LIMIT_MAPS + LIMIT_REDUCES,
    LIMIT_TASK_ATTEMPTS = 100, /* attempts a task may fail, whatever the job asks for */
    LIMIT_INPUTS = 10000,      /* input paths named at submit */
    LIMIT_SPLIT_HOSTS = LIMIT_REPLICAS,
    LIMIT_PARAMETERS = 1000, /* -D key=value of a job */
    LIMIT_PARAMETER_NAME_BYTES = 255,
    LIMIT_PARAMETER_BYTES = 64 * 1024, /* one value; larger things are files */
    LIMIT_COUNTERS = 1000,             /* of a job, as Hadoop's order; they ride on heartbeats */
    LIMIT_COUNTER_NAME_BYTES = 128,    /* group and name each */
    LIMIT_MAP_OUTPUTS_PER_CALL = 1000, /* rows of one GetMapOutputs answer, about 150 KiB */
    LIMIT_JOB_OBJECT_BYTES = 1024 * 1024 * 1024, /* the user's shared object */
    LIMIT_PROCESSES = 4 * 1024 * 1024, /* of a container, and threads: as many as Linux can have */
    LIMIT_UNUSABLE_BYTES = 256,        /* why a node gets nothing new to do; longer texts are cut */
    LIMIT_RECORD_BYTES = 64 * 1024 * 1024, /* one key or one value */
};

#endif

/*
 * webhdfs.c - WebHDFS at the namenode: who asks for what, and the way to the operation.
 * The machine is asked through the shell's mailbox by the same messages as over gRPC, in the name
 * of the visitor; a thread of the HTTP server waits for its answer.
 */
#include "dfs/namenode/daemon/visit.h"
#include "lib/daemon/audit.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/groups.h"
#include "lib/daemon/http_caller.h"
#include "lib/net/http_server.h"
#include "lib/os/clock.h"

enum {
    ASK_MS = 30 * 1000,
    PAGE_BYTES_MAX = 512 * 1024 * 1024, /* a full directory; what is larger comes in batches */
    BODY_BYTES_MAX = 1024 * 1024 /* of a body nobody wants, read so that the answer is seen */
};

/* --- asking ---------------------------------------------------------------------------------- */

static enum status ask(struct visit *visit,
                       enum method method,
                       const void *message,
                       struct slice user,
                       const void **ret_answer)
{
    void *answer = NULL;
    enum status status =
        shell_ask(daemon_shell(visit->self->daemon), method, message, user, slice_make(NULL, 0),
                  clock_monotonic_ms() + ASK_MS, visit->arena, &answer, &visit->error);
    if (status == OK)
        *ret_answer = answer;
    return status;
}

enum status namenode_visit_ask(struct visit *visit,
                               enum method method,
                               const void *message,
                               const void **ret_answer)
{
    return ask(visit, method, message, visit->user, ret_answer);
}

enum status namenode_visit_ask_as_daemon(struct visit *visit,
                                         enum method method,
                                         const void *message,
                                         const void **ret_answer)
{
    return ask(visit, method, message, slice_from_string("millrace"), ret_answer);
}

uint64_t namenode_visit_next_request(struct visit *visit)
{
    return atomic_fetch_add(&visit->self->request_id, 1) + 1;
}

/* --- who asks -------------------------------------------------------------------------------- */

bool namenode_user_is_in(struct namenode_pages *self, struct slice user, struct slice group)
{
    if (slice_equal_string(user, "millrace"))
        return false;
    struct group_list *list = groups_find(daemon_groups(self->daemon), user);
    size_t count = 0;
    const struct slice *names = group_list_names(list, &count);
    bool is_in = false;
    for (size_t i = 0; i < count && !is_in; i++)
        is_in = slice_equal(names[i], group);
    group_list_release(list);
    return is_in;
}

bool namenode_user_is_super(struct namenode_pages *self, struct slice user)
{
    return slice_equal_string(user, "millrace") || slice_equal_string(user, self->superuser) ||
           namenode_user_is_in(self, user, slice_from_string(self->supergroup));
}

static bool may_act_for_others(void *user, struct slice caller)
{
    return namenode_user_is_super(user, caller);
}

/* --- operations ------------------------------------------------------------------------------ */

/* In the order of WEBHDFS_OP_LIST. */
static namenode_visit_serve *const serves[WEBHDFS_OP_COUNT] = {
    [WEBHDFS_OPEN] = namenode_webhdfs_open,
    [WEBHDFS_GETFILESTATUS] = namenode_webhdfs_file_status,
    [WEBHDFS_GETFILELINKSTATUS] = namenode_webhdfs_file_status,
    [WEBHDFS_LISTSTATUS] = namenode_webhdfs_list,
    [WEBHDFS_LISTSTATUS_BATCH] = namenode_webhdfs_batch,
    [WEBHDFS_GETCONTENTSUMMARY] = namenode_webhdfs_summary,
    [WEBHDFS_GETQUOTAUSAGE] = namenode_webhdfs_quota,
    [WEBHDFS_GETSTATUS] = namenode_webhdfs_fs_status,
    [WEBHDFS_GETSERVERDEFAULTS] = namenode_webhdfs_defaults,
    [WEBHDFS_GETFILECHECKSUM] = namenode_webhdfs_checksum,
    [WEBHDFS_GETFILEBLOCKLOCATIONS] = namenode_webhdfs_locations,
    [WEBHDFS_GETHOMEDIRECTORY] = namenode_webhdfs_home,
    [WEBHDFS_GETTRASHROOT] = namenode_webhdfs_trash_root,
    [WEBHDFS_CHECKACCESS] = namenode_webhdfs_check_access,
    [WEBHDFS_GETACLSTATUS] = namenode_webhdfs_acl,
    [WEBHDFS_GETDELEGATIONTOKEN] = namenode_webhdfs_token,
    [WEBHDFS_CREATE] = namenode_webhdfs_create,
    [WEBHDFS_MKDIRS] = namenode_webhdfs_mkdirs,
    [WEBHDFS_RENAME] = namenode_webhdfs_rename,
    [WEBHDFS_SETREPLICATION] = namenode_webhdfs_replication,
    [WEBHDFS_SETOWNER] = namenode_webhdfs_owner,
    [WEBHDFS_SETPERMISSION] = namenode_webhdfs_permission,
    [WEBHDFS_SETTIMES] = namenode_webhdfs_times,
    [WEBHDFS_SETQUOTA] = namenode_webhdfs_set_quota,
    [WEBHDFS_APPEND] = namenode_webhdfs_append,
    [WEBHDFS_CONCAT] = namenode_webhdfs_concat,
    [WEBHDFS_TRUNCATE] = namenode_webhdfs_truncate,
    [WEBHDFS_DELETE] = namenode_webhdfs_delete,
};

static const char *get_parameter(const void *user, const char *name)
{
    return http_request_query(user, name);
}

static enum status parse(struct visit *visit)
{
    const struct http_caller_rules rules = {
        .secret = daemon_secret(visit->self->daemon),
        .host = daemon_host(visit->self->daemon),
        .may_act_for_others = may_act_for_others,
        .user = visit->self,
    };
    /* Who asks comes first: nobody learns from a refusal what there is. */
    enum status status =
        http_caller_identify(&rules, visit->request, visit->arena, &visit->user, &visit->error);
    if (status == OK)
        status =
            webhdfs_op_parse(http_request_method(visit->request),
                             http_request_query(visit->request, "op"), &visit->op, &visit->error);
    if (status == OK)
        status = webhdfs_path_parse(http_request_rest(visit->request), visit->arena, &visit->path,
                                    &visit->error);
    return status;
}

static void refuse(const struct visit *visit, enum status status)
{
    const struct audit audit = {
        .user = visit->user,
        .from = slice_from_string(http_request_peer(visit->request)),
        .what =
            slice_from_string(visit->op < WEBHDFS_OP_COUNT ? webhdfs_op_name(visit->op)
                                                           : http_request_method(visit->request)),
        .object = visit->path,
        .status = status,
        .why = slice_from_string(visit->error.text),
    };
    audit_refusal(daemon_log(visit->self->daemon), &audit);
    webhdfs_reply_failure(visit->request, visit->op, status, visit->error.text);
}

static void serve(struct namenode_pages *self, struct http_request *request)
{
    struct visit visit = {
        .self = self,
        .request = request,
        .parameters = {.get = get_parameter, .user = request},
        .op = WEBHDFS_OP_COUNT,
        .arena = arena_open(0),
        .error = {.status = OK                   },
    };
    buf_open(&visit.page, PAGE_BYTES_MAX);
    enum status status = parse(&visit);
    if (status == OK)
        status = serves[visit.op](&visit);
    if (status != OK)
        refuse(&visit, status);
    else if (!visit.is_replied && visit.page.length > 0)
        webhdfs_reply_json(request, &visit.page);
    else if (!visit.is_replied)
        webhdfs_reply_empty(request);
    buf_close(&visit.page);
    arena_close(visit.arena);
}

/*
 * A client that waits to be told to go on is answered before it sends: a body is not wanted here.
 * Any other body is read and thrown away first, so that its sender sees the answer rather than a
 * broken connection.
 */
void namenode_webhdfs_begin(void *user, struct http_request *request)
{
    if (http_request_header(request, "Expect") != NULL)
        serve(user, request);
}

enum status namenode_webhdfs_chunk(void *user, struct http_request *request, struct slice data)
{
    (void)user;
    (void)request;
    (void)data;
    return OK;
}

void namenode_webhdfs_handle(void *user, struct http_request *request)
{
    serve(user, request);
}

/*
 * audit.c - see audit.h.
 */
#include "lib/daemon/audit.h"

#include "lib/daemon/log.h"

static struct slice or_dash(struct slice text)
{
    return text.length > 0 ? text : slice_from_string("-");
}

void audit_refusal(struct log *log, const struct audit *audit)
{
    if (audit->status != ERR_UNAUTHENTICATED && audit->status != ERR_DENIED)
        return;
    log_event(log, LOG_LEVEL_WARN, "access_refused", log_slice("user", or_dash(audit->user)),
              log_slice("from", or_dash(audit->from)), log_slice("what", or_dash(audit->what)),
              log_slice("object", or_dash(audit->object)), log_status("status", audit->status),
              log_slice("why", audit->why));
}

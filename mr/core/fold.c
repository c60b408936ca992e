/*
 * fold.c - folds neighbours with equal keys.
 */
#include "mr/core/fold.h"

static enum status advance(struct fold_cursor *fold, struct error *reterr_error)
{
    enum status status =
        fold->source->next(fold->source, &fold->pending, &fold->has_pending, reterr_error);
    if (status != OK) {
        fold->has_pending = false;
        return status;
    }
    if (fold->has_pending && fold->pending.value.length != 8) {
        fold->has_pending = false;
        return error_set(reterr_error, ERR_CORRUPT, "an aggregated value of %zu bytes instead of 8",
                         fold->pending.value.length);
    }
    fold->records += fold->has_pending;
    return OK;
}

static enum status fold_cursor_next(struct record_cursor *cursor,
                                    struct record *ret_record,
                                    bool *ret_has,
                                    struct error *reterr_error)
{
    struct fold_cursor *fold = (struct fold_cursor *)(void *)cursor;
    uint64_t bits;
    enum status status = OK;

    *ret_has = false;
    if (!fold->is_started) {
        fold->is_started = true;
        status = advance(fold, reterr_error);
    }
    if (status != OK || !fold->has_pending)
        return status;
    buf_clear(&fold->key);
    status = buf_append_slice(&fold->key, fold->pending.key);
    if (status != OK)
        return error_set(reterr_error, status, "a key of %zu bytes", fold->pending.key.length);
    bits = fixed_get_u64(fold->pending.value.data);
    for (;;) {
        status = advance(fold, reterr_error);
        if (status != OK)
            return status;
        if (!fold->has_pending)
            break;
        if (fold->order.compare == NULL
                ? !slice_equal(buf_slice(&fold->key), fold->pending.key)
                : key_order_compare(&fold->order, buf_slice(&fold->key), fold->pending.key) != 0)
            break;
        bits =
            fold_bits(fold->aggregator, fold->type, bits, fixed_get_u64(fold->pending.value.data));
    }
    fixed_put_u64(fold->value, bits);
    ret_record->key = buf_slice(&fold->key);
    ret_record->value = slice_make(fold->value, sizeof(fold->value));
    *ret_has = true;
    return OK;
}

void fold_cursor_open(struct fold_cursor *fold,
                      struct record_cursor *source,
                      struct key_order order,
                      const struct mr_job *job)
{
    *fold = (struct fold_cursor){
        .cursor = {fold_cursor_next},
        .source = source,
        .order = order,
        .aggregator = job->aggregator,
        .type = job->value_type,
    };
}

void fold_cursor_close(struct fold_cursor *fold)
{
    buf_close(&fold->key);
}

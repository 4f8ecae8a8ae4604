#include <sys/resource.h>

#include "core/conf/master_cf.h"
#include "mail/events/events.h"
#include "mail/service/inner.h"

/* What each session may have open at once, and what a process has open anyway. */
enum { FDS_PER_SESSION = 4, FDS_OF_PROCESS = 64, AGENT_LIMIT = 100 };

/* The maxproc column of our own row; -1: '-', or no such row. */
static int own_row_limit(const struct worker *w)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct master_conf rows = {0};
    const struct master_row *row;
    enum master_type type;
    struct err err;
    int limit = -1;

    (void)buf_addf(&path, "%s/master.cf", w->run.params->config_directory);
    if (!master_type_parse(slice_text(w->run.type), &type) || !master_conf_read(&rows, buf_text(&path), &err))
        return -1; /* master itself tells what is wrong with it */
    row = master_conf_find(&rows, slice_text(w->run.name), type);
    if (row != NULL)
        limit = row->process_limit;
    master_conf_done(&rows);
    return limit;
}

/* *IS_PROMISE: the number holds for the service as a whole. */
static unsigned configured_limit(const struct worker *w, bool *is_promise)
{
    const struct params *p = w->run.params;
    unsigned most = (unsigned)p->default_session_limit;
    int limit;

    *is_promise = false;
    if (w->options.unlimited || w->run.standalone || (w->service->flags & SERVICE_MULTI) != 0 ||
        w->service->datagram != NULL)
        return most;
    if (w->options.one)
        return w->service->instances == SERVICE_ONE ? most : 1;
    limit = own_row_limit(w);
    if (limit < 0 && conf_raw(&p->conf, S("default_process_limit")) != NULL)
        limit = p->default_process_limit;
    if (limit < 0 && (w->service->flags & SERVICE_AGENT) != 0)
        limit = AGENT_LIMIT;
    if (limit <= 0)
        return most;
    *is_promise = true;
    return (unsigned)limit;
}

/* How many sessions the open-file limit allows, after raising it as far as possible. */
static unsigned sessions_by_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return AGENT_LIMIT;
    if (files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        (void)getrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur <= FDS_OF_PROCESS + FDS_PER_SESSION)
        return 1;
    return files.rlim_cur > 10000000 ? 1000000 : (unsigned)(files.rlim_cur - FDS_OF_PROCESS) / FDS_PER_SESSION;
}

void limits_set(struct worker *w)
{
    bool is_promise;
    unsigned limit = configured_limit(w, &is_promise), by_files = sessions_by_files();
    unsigned step = (unsigned)w->run.params->worker_session_step;

    w->limit_is_promise = is_promise;
    if (is_promise && !w->own_master)
        limit = 1;
    w->session_most = limit < step ? limit : step;
    if (by_files < w->session_most) {
        event_warning("the open-file limit allows %u sessions at once instead of %u", by_files, w->session_most);
        w->session_most = by_files;
    }
    w->run.session_limit = w->session_most;
}

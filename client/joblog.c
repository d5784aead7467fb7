/* client/joblog.c - the log of a map, in GNU parallel's columns. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/sink.h"
#include "proto/error.h"

struct joblog {
	struct sink sink;
	const char *path;
	FILE *file;
};

/* As GNU parallel has them: a command's exit code or the signal that killed it, -1 for neither. */
static void read_end(const struct ipp_result *result, int *exit_value, int *number)
{
	*exit_value = *number = 0;
	switch (result->outcome) {
	case IPP_OK:
		break;
	case IPP_ERROR:
	case IPP_EXITED:
	case IPP_NO_COMMAND:
		*exit_value = result->code ? result->code : 1;
		break;
	case IPP_KILLED:
		*number = result->code;
		break;
	default:
		*exit_value = -1;
	}
}

static int joblog_add(struct sink *sink, const struct ended *ended, struct ipp_error *err)
{
	struct joblog *joblog = (struct joblog *)sink;
	const struct ipp_result *result = ended->result;
	char *command = command_line(ended->run, &ended->item, ended->n_values, result->index,
				     result->engine);
	int exit_value, number, n;

	if (!command)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory for a line of %s",
				joblog->path);
	read_end(result, &exit_value, &number);
	errno = 0;
	n = fprintf(joblog->file, "%llu\t%s\t%.3f\t%10.3f\t%d\t%zu\t%d\t%d\t%s\n",
		    (unsigned long long)result->index + 1, result->host,
		    (double)result->started_us / 1e6, (double)result->elapsed_us / 1e6, 0,
		    result->out_bytes + result->err_bytes, exit_value, number, command);
	free(command);
	if (n < 0 || ferror(joblog->file))
		return ipp_fail(err, errno, "ipp-run: %s cannot be written: %m", joblog->path);
	return 0;
}

/* What has ended is on record whatever happens to us. */
static int joblog_flush(struct sink *sink, struct ipp_error *err)
{
	struct joblog *joblog = (struct joblog *)sink;

	if (fflush(joblog->file) == 0)
		return 0;
	return ipp_fail(err, errno, "ipp-run: %s cannot be written: %m", joblog->path);
}

static int joblog_close(struct sink *sink, struct ipp_error *err)
{
	struct joblog *joblog = (struct joblog *)sink;
	const char *path = joblog->path;
	const int rc = fclose(joblog->file);

	free(joblog);
	return rc < 0 ? ipp_fail(err, errno, "ipp-run: %s cannot be written: %m", path) : 0;
}

int joblog_open(struct sink **out, const char *path, struct ipp_error *err)
{
	struct joblog *joblog = calloc(1, sizeof(*joblog));

	if (!joblog)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory");
	*joblog = (struct joblog){
		.sink = {.add = joblog_add, .flush = joblog_flush, .close = joblog_close},
		.path = path,
		.file = fopen(path, "we")};
	if (!joblog->file) {
		free(joblog);
		return ipp_fail(err, errno, "ipp-run: --joblog %s cannot be written: %m", path);
	}
	fputs("Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n",
	      joblog->file);
	*out = &joblog->sink;
	return 0;
}

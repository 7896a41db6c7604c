// SPDX-License-Identifier: Apache-2.0

// In C, since it shares the program's memory: a copy of a large program's page tables and a program executed take ten
// times as long, twice at each start. Go's own runtime cannot have such a process.

#define _GNU_SOURCE
#include "holder.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// It is to touch nothing of the memory that it shares but its stack: all signals are blocked, so none of the program's
// handlers runs here.
static int wait_for_end(void *parent)
{
	// Should the program be killed, this goes too.
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != (pid_t)(long)parent)
		_exit(1);
	for (;;)
		pause();
}

struct holder *begin_holder(void)
{
	struct holder *holder = malloc(sizeof *holder);
	if (holder == NULL)
		return NULL;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	// The table of descriptors is shared, so that no lock is held longer. No signal tells of the end (__WALL).
	holder->pid = clone(wait_for_end, holder->stack + sizeof holder->stack, CLONE_VM | CLONE_FILES | CLONE_NEWUSER,
			    (void *)(long)getpid());
	int error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (holder->pid < 0) {
		free(holder);
		errno = error;
		return NULL;
	}
	return holder;
}

void end_holder(struct holder *holder)
{
	kill(holder->pid, SIGKILL);
	while (waitpid(holder->pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	free(holder);
}

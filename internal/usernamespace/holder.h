// SPDX-License-Identifier: Apache-2.0

#include <sys/types.h>

// A process that does nothing, in a user namespace of its own.
struct holder {
	char stack[16 << 10] __attribute__((aligned(16)));
	pid_t pid;
};

// begin_holder returns NULL after an error, and sets errno.
struct holder *begin_holder(void);
void end_holder(struct holder *holder);

/* Test hooks: a machine process that fails or misbehaves on request, to prove that only its guest suffers. */
#ifndef VMM_MACHINE_HOOKS_H
#define VMM_MACHINE_HOOKS_H

struct machine;

/* Does what machine_info.hook asks for now. */
void hooks_run(struct machine *m);

#endif

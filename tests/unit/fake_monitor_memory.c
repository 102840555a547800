/* The fake kernel's ledger and merger: what a test put into `fake` is what they tell. */
#include <string.h>

#include "tests/unit/fake_monitor.h"
#include "vmm/lib/sys.h"

int sys_ledger_info(struct ledger_info *info)
{
	*info = fake.ledger;
	return 0;
}

int sys_merge_info(struct merge_info *info)
{
	*info = fake.merge;
	return 0;
}

int sys_merge_verify(struct merge_verify *result)
{
	memset(result, 0, sizeof(*result));
	return 0;
}

int sys_merge_matrix(struct merge_matrix *matrix)
{
	*matrix = fake.matrix;
	return 0;
}

int sys_merge_control(enum merge_control what, u64 value)
{
	fake.merge_control = what;
	fake.merge_value = value;
	fake.merge_calls++;
	return fake.merge_error;
}

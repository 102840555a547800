/* The choice between the back ends. */
#include "arch/x86_64/virt.h"

#include "kernel/lib/error.h"
#include "kernel/lib/string.h"

const struct virt_ops *virt;

static const struct virt_ops *const back_ends[] = { &svm_ops, &vmx_ops };

int virt_probe(const struct virt_options *said, char *missing, size_t missing_len, char *features,
	       size_t features_len)
{
	for (u32 i = 0; i < ARRAY_SIZE(back_ends); i++) {
		if (!back_ends[i]->present())
			continue;
		virt = back_ends[i];
		return virt->probe(said, missing, missing_len, features, features_len);
	}
	str_copy(missing, missing_len, "the processor has neither SVM nor VMX");
	return ERR_UNSUPPORTED;
}

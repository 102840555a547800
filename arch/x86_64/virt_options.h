/* Optional features of processors that the [host] section can force off, by the key's name: one emulator then
 * stands for many processors, and a processor whose feature is faulty can be used without it.  Of one that is known
 * to be faulty, it can ask for the feature all the same. */
#ifndef ARCH_X86_64_VIRT_OPTIONS_H
#define ARCH_X86_64_VIRT_OPTIONS_H

#include "kernel/lib/types.h"

#define VIRT_OPTIONS(X) \
	X(VIRT_SVM_NRIP_SAVE, 0, "svm.nrip-save") \
	X(VIRT_SVM_FLUSH_BY_ASID, 1, "svm.flush-by-asid") \
	X(VIRT_SVM_DECODE_ASSISTS, 2, "svm.decode-assists") \
	X(VIRT_SVM_PAUSE_FILTER, 3, "svm.pause-filter") \
	X(VIRT_VMX_VPID, 16, "vmx.vpid") \
	X(VIRT_VMX_EPT_AD, 17, "vmx.ept-ad") \
	X(VIRT_VMX_TPR_SHADOW, 18, "vmx.tpr-shadow") \
	X(VIRT_VMX_MSR_BITMAP, 19, "vmx.msr-bitmap") \
	X(VIRT_VMX_PAUSE_LOOP, 20, "vmx.pause-loop") \
	X(VIRT_VMX_INVEPT_SINGLE, 21, "vmx.invept-single") \
	X(VIRT_VMX_PREEMPTION_TIMER, 22, "vmx.preemption-timer") \
	X(VIRT_VMX_APICV, 23, "vmx.apicv")

#define VIRT_OPTION_BIT(name, bit, key) name = 1ull << bit,
#define VIRT_OPTION_NAME(name, bit, key) { key, name },

enum virt_option { VIRT_OPTIONS(VIRT_OPTION_BIT) };

/* What the operator said, as sets of enum virt_option; the rest is the back end's choice. */
struct virt_options {
	u64 off, on;
};

#endif

/* The synthetic interrupt controller, TLFS §11: 16 sources, each with a vector of the local APIC and a slot for one
 * message in a page of the guest's.  Only the timers send messages; there are no events, ports or connections. */
#include "kernel/hyperv.h"

#include "kernel/lapic_regs.h"
#include "kernel/lib/string.h"

enum synic_msr { CONTROL = 0x80, VERSION, EVENT_PAGE, MESSAGE_PAGE, END_OF_MESSAGE, SINT_FIRST = 0x90 };

#define SYNIC_VERSION 1
#define SINT_AUTO_EOI BIT(17)
#define SINT_POLLING BIT(18)

#define SLOT_SIZE 256
#define MESSAGE_PENDING 1
#define AT_FLAGS 5

struct message {
	u32 type; /* 0: the slot is free */
	u8 len, flags, reserved[2];
	u64 sender;
	u8 payload[240];
};

_Static_assert(sizeof(struct message) == SLOT_SIZE && offsetof(struct message, flags) == AT_FLAGS, "TLFS §11.8.3");

/* ---- registers ---- */

static void find_auto_eoi(struct hyperv_vcpu *h)
{
	memset(h->auto_eoi, 0, sizeof(h->auto_eoi));
	h->any_auto_eoi = false;
	for (u32 i = 0; i < HYPERV_SINTS; i++) {
		u8 vector = (u8)h->sint[i];

		if (h->sint[i] & HYPERV_SINT_MASKED || !(h->sint[i] & SINT_AUTO_EOI))
			continue;
		h->auto_eoi[vector / 32] |= 1u << vector % 32;
		h->any_auto_eoi = true;
	}
}

static int set_sint(struct hyperv_vcpu *h, u32 n, u64 value)
{
	if (!(value & HYPERV_SINT_MASKED) && (u8)value < 16)
		return ERR_INVAL;
	h->sint[n] = value;
	find_auto_eoi(h);
	return 0;
}

/* Both pages begin as zeroes. */
static int set_page(struct vcpu *v, u64 *page, u64 value)
{
	if (value != *page && hyperv_page_clear(v, value))
		return ERR_INVAL;
	*page = value;
	return 0;
}

int hyperv_synic_read(struct vcpu *v, u32 msr, u64 *value)
{
	const struct hyperv_vcpu *h = &v->hyperv;

	switch (msr) {
	case CONTROL: *value = h->control; return 0;
	case VERSION: *value = SYNIC_VERSION; return 0;
	case EVENT_PAGE: *value = h->event_page; return 0;
	case MESSAGE_PAGE: *value = h->message_page; return 0;
	case END_OF_MESSAGE: *value = 0; return 0;
	default:
		if (msr - SINT_FIRST >= HYPERV_SINTS)
			return ERR_INVAL;
		*value = h->sint[msr - SINT_FIRST];
		return 0;
	}
}

int hyperv_synic_write(struct vcpu *v, u32 msr, u64 value)
{
	struct hyperv_vcpu *h = &v->hyperv;

	switch (msr) {
	case CONTROL: h->control = value; return 0;
	case EVENT_PAGE: return set_page(v, &h->event_page, value);
	case MESSAGE_PAGE: return set_page(v, &h->message_page, value);
	case END_OF_MESSAGE: hyperv_timers(v); return 0;
	default: return msr - SINT_FIRST < HYPERV_SINTS ? set_sint(h, msr - SINT_FIRST, value) : ERR_INVAL;
	}
}

/* ---- messages ---- */

/* Free, or told that another message waits: looked at again afterwards, since the guest frees it and then looks. */
static bool slot_is_free(struct vcpu *v, gpa_t slot)
{
	gpa_t flags = { slot.v + AT_FLAGS };
	u8 pending = MESSAGE_PENDING;
	u32 type;

	if (guest_phys_read(v->guest, slot, &type, sizeof(type)))
		return false;
	if (!type)
		return true;
	if (guest_phys_write(v->guest, flags, &pending, sizeof(pending)))
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !guest_phys_read(v->guest, slot, &type, sizeof(type)) && !type;
}

static void interrupt(struct vcpu *v, u64 sint)
{
	if (!(sint & (HYPERV_SINT_MASKED | SINT_POLLING)))
		lapic_raise(v, (u8)sint);
}

bool hyperv_message(struct vcpu *v, u32 sint, u32 type, const void *payload, u8 len)
{
	const struct hyperv_vcpu *h = &v->hyperv;
	gpa_t slot = { (h->message_page & PAGE_MASK) + sint * SLOT_SIZE };
	struct message m = { .len = len };

	if (!(h->control & h->message_page & HYPERV_ENABLE) || !slot_is_free(v, slot))
		return false;
	memcpy(m.payload, payload, len);
	if (guest_phys_write(v->guest, slot, &m, offsetof(struct message, payload) + len))
		return false;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (guest_phys_write(v->guest, slot, &type, sizeof(type)))
		return false;
	interrupt(v, h->sint[sint]);
	return true;
}

void hyperv_auto_eoi(struct vcpu *v, u8 vector)
{
	if (v->hyperv.auto_eoi[vector / 32] >> vector % 32 & 1)
		lapic_eoi(v);
}

/* The fake kernel of fake_vcpu.h. */
#include "tests/unit/fake_vcpu.h"

#include <string.h>

#include "arch/x86_64/registers.h"

struct guest fake_guest;
u64 fake_tsc, fake_hz, fake_clock_ns;
struct vcpu_state fake_state;
bool fake_holds_tsc_aux;
u8 fake_cr8;
struct virt_code fake_code;

static struct { u32 msr; u64 value; } msrs[FAKE_MSRS];
static u32 msr_count;

void fake_start(u32 count)
{
	memset(&fake_guest, 0, sizeof(fake_guest));
	memset(&fake_state, 0, sizeof(fake_state));
	msr_count = 0;
	fake_tsc = 1000000;
	fake_hz = 2000000000;
	fake_clock_ns = 0;
	fake_holds_tsc_aux = false;
	fake_guest.count = count;
	for (u32 i = 0; i < count; i++) {
		struct vcpu *v = &fake_guest.vcpus[i];

		v->guest = &fake_guest;
		v->index = i;
		lapic_reset(v, true);
		v->requests = 0;
	}
}

u64 vcpu_tsc(const struct vcpu *v) { return fake_tsc + v->tsc_offset; }
u64 vcpu_tsc_hz(void) { return fake_hz; }
u64 vcpu_cr4(const struct vcpu *v) { return v->guest->cr4; }
u64 vcpu_xcr0(const struct vcpu *v) { return v->guest->xcr0; }
void vcpu_move_tsc(struct vcpu *v, u64 delta) { v->tsc_offset += delta; }
void vcpu_timer_arm(struct vcpu *v, u64 host_tsc) { v->guest->armed[v->index] = host_tsc; }
void vcpu_synthetic_arm(struct vcpu *v, u64 host_tsc) { v->guest->synthetic[v->index] = host_tsc; }
struct hyperv_guest *guest_hyperv(struct guest *g) { return g->hyperv.mode ? &g->hyperv : NULL; }
struct vcpu *guest_vcpu(struct guest *g, u32 index)
{
	return index < g->count && !(g->absent >> index & 1) ? &g->vcpus[index] : NULL;
}

u32 guest_vcpu_count(const struct guest *g) { return g->count; }

void vcpu_flush_other(struct vcpu *v) { v->requests |= REQUEST_FLUSH; }

/* guest.h's. */
void guest_stop(struct guest *g, enum stop_reason reason, const char *format, ...);
void guest_stop(struct guest *g, enum stop_reason reason, const char *format, ...)
{
	g->stopped = reason;
}

void vcpu_request(struct vcpu *v, u32 requests)
{
	__atomic_fetch_or(&v->requests, requests, __ATOMIC_ACQ_REL);
}

int guest_phys_write(struct guest *g, gpa_t gpa, const void *from, size_t len)
{
	if (gpa.v >= FAKE_MEMORY || len > FAKE_MEMORY - gpa.v)
		return ERR_FAULT;
	memcpy(g->memory + gpa.v, from, len);
	if (g->writes < 64)
		memcpy(g->first_write[g->writes], from, len < 64 ? len : 64);
	g->writes++;
	return 0;
}

int guest_phys_read(struct guest *g, gpa_t gpa, void *to, size_t len)
{
	if (gpa.v >= FAKE_MEMORY || len > FAKE_MEMORY - gpa.v)
		return ERR_FAULT;
	memcpy(to, g->memory + gpa.v, len);
	return 0;
}

void guest_lapic_left(struct guest *g) { g->lapic_left++; }

int guest_phys_swap32(struct guest *g, gpa_t gpa, u32 old, u32 fresh)
{
	u32 now;

	if (g->short_of_memory)
		return ERR_NOMEM;
	if (guest_phys_read(g, gpa, &now, sizeof(now)))
		return ERR_FAULT;
	if (now != old)
		return ERR_AGAIN;
	memcpy(g->memory + gpa.v, &fresh, sizeof(fresh));
	return 0;
}

void guest_clock(u64 host_tsc, u64 *ns, u64 *wall_s, u32 *wall_ns)
{
	*ns = fake_clock_ns + (u64)((unsigned __int128)host_tsc * 1000000000 / fake_hz);
	*wall_s = 1700000000;
	*wall_ns = 5;
}

static void fake_get(struct virt_vcpu *v, struct vcpu_state *s, u32 groups) { *s = fake_state; }
static void fake_set(struct virt_vcpu *v, const struct vcpu_state *s, u32 groups) { fake_state = *s; }

int fake_msr(u32 msr, u64 *value)
{
	for (u32 i = 0; i < msr_count; i++)
		if (msrs[i].msr == msr) {
			*value = msrs[i].value;
			return 0;
		}
	return ERR_NOENT;
}

static int fake_msr_get(struct virt_vcpu *v, u32 msr, u64 *value)
{
	if (fake_msr(msr, value))
		*value = 0;
	return 0;
}

static int fake_msr_set(struct virt_vcpu *v, u32 msr, u64 value)
{
	if (msr == MSR_TSC_AUX && !fake_holds_tsc_aux)
		return ERR_NOENT;
	for (u32 i = 0; i < msr_count; i++)
		if (msrs[i].msr == msr) {
			msrs[i].value = value;
			return 0;
		}
	if (msr_count == FAKE_MSRS)
		return ERR_NOENT;
	msrs[msr_count].msr = msr;
	msrs[msr_count++].value = value;
	return 0;
}

static void fake_set_cr8(struct virt_vcpu *v, u8 value) { fake_cr8 = value; }

static void fake_virt_code(struct virt_vcpu *v, const struct vcpu_page *page, struct virt_code *c)
{
	*c = fake_code;
}

static const struct virt_ops ops = {
	.name = "fake", .code = fake_virt_code, .set_cr8 = fake_set_cr8,
	.get = fake_get, .set = fake_set, .msr_get = fake_msr_get, .msr_set = fake_msr_set,
};
const struct virt_ops *virt = &ops;

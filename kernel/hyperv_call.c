/* Hyper-V's hypercalls, TLFS §3: an IPI or a TLB flush to many in one exit, and a vCPU that waits for a lock.  Others
 * answer that they do not exist.
 *
 * A flush here is always of all that a vCPU has translated: whatever less was asked for is in it.  One that does not
 * run has it before it runs again, and nobody waits for that. */
#include "kernel/hyperv.h"

#include "kernel/lapic_regs.h"

/* The input value, TLFS §3.8. */
#define FAST BIT(16)
#define HEADER_SHIFT 17 /* the variable header's size, in units of 8 bytes */
#define HEADER_MAX 0x3ff
#define REPEATS_SHIFT 32
#define REPEATS_MAX 0xfff
#define REPEATS_START (0xfffull << 48)
#define RESERVED (0xfull << 27 | BIT(31) | 0xfull << 44 | 0xfull << 60)

#define REGISTER_R8 8

#define SET_SPARSE 0
#define SET_ALL 1
#define FLUSH_ALL_PROCESSORS 1

enum status { SUCCESS, INVALID_CODE = 2, INVALID_INPUT, INVALID_ALIGNMENT, INVALID_PARAMETER };

struct call {
	u64 value, input, output; /* input: the parameters' address, or with FAST 16 bytes of them */
};

/* Processors, TLFS §7.8.7.3: a word of 64 for each bit of banks; a guest here has no more than the first. */
struct set {
	u64 format, banks, first;
};

struct ipi {
	u32 vector;
	u8 trust_level, reserved[3];
};

struct flush {
	u64 space, flags;
};

/* Copies len bytes of the parameters. */
static enum status fetch(struct vcpu *v, const struct call *c, void *to, size_t at, size_t len)
{
	gpa_t gpa = { c->input + at };

	if (c->value & FAST) /* more than fits into two registers */
		return INVALID_INPUT;
	if (c->input % 8 || c->input % PAGE_SIZE + at + len > PAGE_SIZE)
		return INVALID_ALIGNMENT;
	return guest_phys_read(v->guest, gpa, to, len) ? INVALID_INPUT : SUCCESS;
}

static u32 count_bits(u64 word)
{
	u32 count = 0;

	for (; word; word &= word - 1)
		count++;
	return count;
}

/* The set that stands at `at`, as a mask of its first 64 processors. */
static enum status fetch_set(struct vcpu *v, const struct call *c, size_t at, u64 *mask)
{
	u32 words = c->value >> HEADER_SHIFT & HEADER_MAX;
	struct set set = { 0 };
	enum status status = fetch(v, c, &set, at, offsetof(struct set, first));

	if (status)
		return status;
	*mask = UINT64_MAX;
	if (set.format == SET_ALL)
		return SUCCESS;
	if (set.format != SET_SPARSE || words != count_bits(set.banks))
		return INVALID_PARAMETER;
	if (set.banks & 1)
		status = fetch(v, c, &set, at, sizeof(set));
	*mask = set.first;
	return status;
}

/* Calls f for each processor of the mask; those that do not exist are passed over. */
static void each(struct vcpu *v, u64 mask, void (*f)(struct vcpu *v, struct vcpu *other, u32 argument), u32 argument)
{
	for (; mask; mask &= mask - 1) {
		struct vcpu *other = guest_vcpu(v->guest, (u32)__builtin_ctzll(mask));

		if (other)
			f(v, other, argument);
	}
}

/* ---- IPIs ---- */

static void send_one(struct vcpu *v, struct vcpu *other, u32 vector)
{
	lapic_send(v, vector, other->index, true);
}

static enum status send(struct vcpu *v, const struct ipi *ipi, u64 mask)
{
	if (ipi->vector < 16 || ipi->vector > 255 || ipi->trust_level)
		return INVALID_PARAMETER;
	each(v, mask, send_one, ipi->vector);
	return SUCCESS;
}

static enum status send_ipi(struct vcpu *v, const struct call *c)
{
	struct { struct ipi ipi; u64 mask; } p;
	enum status status = SUCCESS;

	if (c->value & FAST) {
		p.ipi = (struct ipi){ .vector = (u32)c->input, .trust_level = (u8)(c->input >> 32) };
		p.mask = c->output;
	} else {
		status = fetch(v, c, &p, 0, sizeof(p));
	}
	return status ? status : send(v, &p.ipi, p.mask);
}

static enum status send_ipi_ex(struct vcpu *v, const struct call *c)
{
	struct ipi ipi;
	u64 mask = 0;
	enum status status = fetch(v, c, &ipi, 0, sizeof(ipi));

	if (!status)
		status = fetch_set(v, c, sizeof(ipi), &mask);
	return status ? status : send(v, &ipi, mask);
}

/* ---- TLB flushes ---- */

static void flush_one(struct vcpu *v, struct vcpu *other, u32 argument)
{
	vcpu_flush_other(other);
}

static enum status flush(struct vcpu *v, const struct call *c)
{
	struct { struct flush flush; u64 mask; } p;
	enum status status = fetch(v, c, &p, 0, sizeof(p));

	if (!status)
		each(v, p.flush.flags & FLUSH_ALL_PROCESSORS ? UINT64_MAX : p.mask, flush_one, 0);
	return status;
}

static enum status flush_ex(struct vcpu *v, const struct call *c)
{
	struct flush p;
	u64 mask = UINT64_MAX;
	enum status status = fetch(v, c, &p, 0, sizeof(p));

	if (!status && !(p.flags & FLUSH_ALL_PROCESSORS))
		status = fetch_set(v, c, sizeof(p), &mask);
	if (!status)
		each(v, mask, flush_one, 0);
	return status;
}

/* ---- the calls ---- */

static enum status notify_spin_wait(struct vcpu *v, const struct call *c)
{
	return SUCCESS;
}

static const struct entry {
	u16 code;
	bool repeats, sparse; /* has a list; has a set of processors */
	enum status (*call)(struct vcpu *v, const struct call *c);
} entries[] = {
	{ 0x02, false, false, flush },      /* HvCallFlushVirtualAddressSpace */
	{ 0x03, true, false, flush },       /* HvCallFlushVirtualAddressList */
	{ 0x08, false, false, notify_spin_wait }, /* HvCallNotifyLongSpinWait */
	{ 0x0b, false, false, send_ipi },   /* HvCallSendSyntheticClusterIpi */
	{ 0x13, false, true, flush_ex },
	{ 0x14, true, true, flush_ex },
	{ 0x15, false, true, send_ipi_ex },
};

static const struct entry *find(u16 code)
{
	for (u32 i = 0; i < ARRAY_SIZE(entries); i++)
		if (entries[i].code == code)
			return &entries[i];
	return NULL;
}

/* The result value: a status, and how much of the list is done. */
static u64 call(struct vcpu *v, const struct call *c, bool *spins)
{
	const struct entry *e = find((u16)c->value);
	u64 repeats = c->value >> REPEATS_SHIFT & REPEATS_MAX;
	enum status status;

	if (!e)
		return INVALID_CODE;
	if (c->value & RESERVED || e->repeats != (repeats != 0) || (!e->repeats && c->value & REPEATS_START) ||
	    (!e->sparse && c->value >> HEADER_SHIFT & HEADER_MAX))
		return INVALID_INPUT;
	status = e->call(v, c);
	*spins = e->call == notify_spin_wait;
	return status ? status : repeats << REPEATS_SHIFT;
}

bool hyperv_calls(const struct vcpu *v)
{
	const struct hyperv_guest *h = guest_hyperv(v->guest);

	return h && __atomic_load_n(&h->os_id, __ATOMIC_RELAXED);
}

static u64 pair(u64 high, u64 low)
{
	return high << 32 | (u32)low;
}

/* TLFS §3.7: registers by the caller's mode; #UD unless it is at CPL 0 in protected mode. */
int hyperv_call(struct vcpu *v, bool *spins)
{
	u64 *gpr = v->page->gpr;
	struct virt_code code;
	u64 result;

	virt->code(v->hw, v->page, &code);
	if (code.cpl || code.mode == MODE_REAL)
		return ERR_INVAL;
	if (code.mode == MODE_LONG) {
		gpr[GPR_RAX] = call(v, &(struct call){ gpr[GPR_RCX], gpr[GPR_RDX], gpr[REGISTER_R8] }, spins);
		return 0;
	}
	result = call(v, &(struct call){ pair(gpr[GPR_RDX], gpr[GPR_RAX]), pair(gpr[GPR_RBX], gpr[GPR_RCX]),
					 pair(gpr[GPR_RDI], gpr[GPR_RSI]) }, spins);
	gpr[GPR_RAX] = (u32)result;
	gpr[GPR_RDX] = result >> 32;
	return 0;
}

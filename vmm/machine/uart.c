/* COM1 (National PC16550D data sheet).  Lock: the machine lock.
 *
 * The wire has no speed: a byte that is sent has left at once, so the transmitter is always empty; the
 * receiver's time-out is over as soon as fewer bytes wait than the trigger level.  Invariant: uart.line is
 * IRQ 4's level. */
#include "vmm/machine/uart.h"

#include "vmm/lib/sys.h"
#include "vmm/machine/machine.h"

#define UART_PORT 0x3f8
#define UART_IRQ 4

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RDA 0x01
#define IER_THRE 0x02
#define IER_LINE 0x04
#define IER_MODEM 0x08
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RX 0x02
#define LCR_DLAB 0x80
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_EMPTY 0x60 /* THRE, TEMT */
#define MSR_PRESENT 0xb0 /* DCD, DSR, CTS: somebody is at the other end */

enum {
	IIR_MODEM = 0x00, IIR_NONE = 0x01, IIR_THRE = 0x02, IIR_RDA = 0x04, IIR_LINE = 0x06,
	IIR_TIMEOUT = 0x0c,
};

static u8 uart_cause(const struct uart *u)
{
	static const u8 trigger[4] = { 1, 4, 8, 14 };

	if (u->ier & IER_LINE && u->overrun)
		return IIR_LINE;
	if (u->ier & IER_RDA && u->count)
		return u->fcr & FCR_ENABLE && u->count < trigger[u->fcr >> 6] ? IIR_TIMEOUT : IIR_RDA;
	if (u->ier & IER_THRE && u->thre_pending)
		return IIR_THRE;
	if (u->ier & IER_MODEM && u->msr & 0x0f)
		return IIR_MODEM;
	return IIR_NONE;
}

/* On a PC the interrupt reaches its line through OUT2, which loopback cuts off. */
static void uart_update(struct machine *m)
{
	struct uart *u = &m->uart;
	bool level = (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2 && uart_cause(u) != IIR_NONE;

	if (level == !!u->line)
		return;
	u->line = level;
	machine_irq(m, UART_IRQ, level);
}

/* There is room in the ring again: the event thread goes on reading the console. */
static void uart_wake(struct machine *m)
{
	machine_reschedule(m, machine_now(m));
}

static void uart_put(struct uart *u, u8 byte)
{
	if (u->count >= UART_RING) {
		u->overrun = 1;
		return;
	}
	u->ring[(u->head + u->count) % UART_RING] = byte;
	u->count++;
}

static u8 uart_get(struct machine *m)
{
	struct uart *u = &m->uart;
	u8 byte;

	if (!u->count)
		return 0;
	byte = u->ring[u->head % UART_RING];
	u->head = (u->head + 1) % UART_RING;
	if (--u->count == UART_RING / 2)
		uart_wake(m);
	uart_update(m);
	return byte;
}

static void uart_send(struct machine *m, u8 byte)
{
	struct uart *u = &m->uart;

	u->thre_pending = 0; /* the line drops for a moment: edge-triggered drivers get their edge */
	uart_update(m);
	if (u->mcr & MCR_LOOP)
		uart_put(u, byte);
	else
		sys_console_write(&byte, 1);
	u->thre_pending = 1;
	uart_update(m);
}

/* The modem's inputs, and which of them changed (bits 0-3; RI only tells its end). */
static void uart_modem(struct uart *u)
{
	u8 mcr = u->mcr, old = u->msr & 0xf0;
	u8 now = MSR_PRESENT, changed;

	if (mcr & MCR_LOOP) /* DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD */
		now = (mcr & 1) << 5 | (mcr & 2) << 3 | (mcr & 4) << 4 | (mcr & 8) << 4;
	changed = (old ^ now) >> 4;
	if (now & 0x40)
		changed &= ~0x04;
	u->msr = now | (u->msr & 0x0f) | changed;
}

static u8 uart_read(struct machine *m, u32 offset)
{
	struct uart *u = &m->uart;
	u8 value;

	switch (offset) {
	case RBR_THR:
		return u->lcr & LCR_DLAB ? (u8)u->divisor : uart_get(m);
	case IER:
		return u->lcr & LCR_DLAB ? u->divisor >> 8 : u->ier;
	case IIR_FCR:
		value = uart_cause(u);
		if (value == IIR_THRE)
			u->thre_pending = 0;
		value |= u->fcr & FCR_ENABLE ? 0xc0 : 0;
		break;
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		value = LSR_EMPTY | (u->count ? LSR_DR : 0) | (u->overrun ? LSR_OE : 0);
		if (!u->overrun)
			return value;
		u->overrun = 0;
		break;
	case MSR:
		value = u->msr;
		u->msr &= 0xf0;
		break;
	default:
		return u->scratch;
	}
	uart_update(m);
	return value;
}

static void uart_write_fcr(struct machine *m, u8 value)
{
	struct uart *u = &m->uart;
	bool toggled = (u->fcr ^ value) & FCR_ENABLE;

	u->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
	if (!u->count || !(toggled || value & FCR_CLEAR_RX))
		return;
	u->head = u->count = 0;
	uart_wake(m);
}

static void uart_write_mcr(struct machine *m, u8 value)
{
	struct uart *u = &m->uart;
	bool was_looped = u->mcr & MCR_LOOP;

	u->mcr = value & 0x1f;
	uart_modem(u);
	if (was_looped && !(value & MCR_LOOP))
		uart_wake(m);
}

static void uart_write_ier(struct uart *u, u8 value)
{
	if (value & ~u->ier & IER_THRE) /* enabling it tells of an empty transmitter at once */
		u->thre_pending = 1;
	u->ier = value & 0x0f;
}

static void uart_write(struct machine *m, u32 offset, u8 value)
{
	struct uart *u = &m->uart;

	switch (offset) {
	case RBR_THR:
		if (u->lcr & LCR_DLAB)
			u->divisor = (u->divisor & 0xff00) | value;
		else
			uart_send(m, value);
		return;
	case IER:
		if (u->lcr & LCR_DLAB)
			u->divisor = (u->divisor & 0xff) | (u16)(value << 8);
		else
			uart_write_ier(u, value);
		break;
	case IIR_FCR:
		uart_write_fcr(m, value);
		break;
	case LCR:
		u->lcr = value;
		return;
	case MCR:
		uart_write_mcr(m, value);
		break;
	case SCR:
		u->scratch = value;
		return;
	}
	uart_update(m);
}

static void uart_access(struct machine *m, void *device, struct access *a)
{
	if (bus_split(m, device, a, uart_access))
		return;
	if (a->write)
		uart_write(m, a->addr & 7, (u8)a->value);
	else
		a->value = uart_read(m, a->addr & 7);
}

u32 uart_room(const struct machine *m)
{
	const struct uart *u = &m->uart;

	return u->mcr & MCR_LOOP || u->count >= UART_RING ? 0 : UART_RING - u->count;
}

void uart_receive(struct machine *m, const u8 *bytes, u32 count)
{
	struct uart *u = &m->uart;

	if (u->mcr & MCR_LOOP) /* the wire is cut */
		return;
	for (u32 i = 0; i < count; i++)
		uart_put(u, bytes[i]);
	uart_update(m);
}

void uart_attach(struct machine *m)
{
	bus_add(&m->ports, UART_PORT, 8, uart_access, &m->uart);
}

void uart_reset(struct machine *m)
{
	m->uart = (struct uart){ .divisor = 12, .msr = MSR_PRESENT, .line = m->uart.line };
	uart_update(m);
}

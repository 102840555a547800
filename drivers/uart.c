/* The 16550.  One lock (LOCK_DEVICE) guards its registers and both rings; the rings' indices run freely and
 * are taken modulo the size.  Invariant: while tx is not empty, IER has IER_TX, or interrupts are off and
 * uart_poll is called. */
#include "arch/x86_64/registers.h"
#include "arch/x86_64/tsc.h"
#include "drivers/uart.h"
#include "kernel/lib/error.h"
#include "kernel/lock.h"

/* PC16550D data sheet §8 */
enum uart_register { UART_DATA, UART_IER, UART_IIR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCRATCH };
#define UART_FCR UART_IIR /* when written */
#define IER_RX 0x01
#define IER_TX 0x02
#define IER_LINE 0x04
#define IIR_NONE 0x01
#define FCR_ENABLE_RESET 0x07
#define FCR_TRIGGER_8 0x80
#define LCR_8N1 0x03
#define LCR_DIVISOR 0x80
#define MCR_DTR_RTS_OUT2 0x0b /* OUT2 gates the interrupt line of a PC */
#define MCR_LOOP 0x10
#define LSR_DATA 0x01
#define LSR_OVERRUN 0x02
#define LSR_THR_EMPTY 0x20
#define LSR_ALL_EMPTY 0x40
#define FIFO_SIZE 16
#define CLOCK_BAUD 115200

#define CHAR_WAIT_US 20000 /* a character at 600 baud */

static struct spinlock lock = SPINLOCK(LOCK_DEVICE);
static struct {
	u32 kind, stride;  /* c */
	u64 base;          /* c */
	u8 ier;            /* this and all below: the lock */
	u8 fifo;           /* bytes that fit when THR is empty */
	bool interrupts;   /* allowed */
	bool proven;       /* one came */
	bool dead;         /* output does not leave: do not wait for it again until it does */
	bool refused;      /* uart_write took less than it was given */
	u32 tx_head, tx_tail, rx_head, rx_tail;
	struct uart_stats stats;
} uart;
static char tx[UART_TX_SIZE], rx[UART_RX_SIZE];

void (*uart_notify)(u32 events);

static u8 reg_read(enum uart_register reg)
{
	u64 at = uart.base + (u64)reg * uart.stride;

	if (uart.kind == BOOT_SERIAL_PORT)
		return in8((u16)at);
	return uart.stride == 4 ? (u8)mmio_read32(at) : mmio_read8(at);
}

static void reg_write(enum uart_register reg, u8 value)
{
	u64 at = uart.base + (u64)reg * uart.stride;

	if (uart.kind == BOOT_SERIAL_PORT)
		out8((u16)at, value);
	else if (uart.stride == 4)
		mmio_write32(at, value);
	else
		mmio_write8(at, value);
}

static void ier_set(u8 ier)
{
	if (uart.ier != ier)
		reg_write(UART_IER, uart.ier = ier);
}

static bool wait_lsr(u8 bits, u64 us)
{
	u64 start = rdtsc(), cycles = us * (tsc_hz() / 1000000 + 1);

	while ((reg_read(UART_LSR) & bits) != bits) {
		if (rdtsc() - start > cycles)
			return false;
		pause();
	}
	return true;
}

/* ---- setting up ---- */

static bool answers(void)
{
	static const u8 patterns[] = { 0x5a, 0xa5 };
	bool looped;

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		reg_write(UART_SCRATCH, patterns[i]);
		if (reg_read(UART_SCRATCH) != patterns[i])
			return false;
	}
	/* In loop mode the outputs RTS and OUT2 come back as the inputs CTS and DCD. */
	wait_lsr(LSR_ALL_EMPTY, CHAR_WAIT_US);
	reg_write(UART_MCR, MCR_LOOP | 0x0a);
	looped = (reg_read(UART_MSR) & 0xf0) == 0x90;
	reg_write(UART_MCR, MCR_DTR_RTS_OUT2);
	return looped;
}

static void set_divisor(u32 baud)
{
	u32 divisor = CLOCK_BAUD / baud;

	divisor = MIN(MAX(divisor, 1u), 0xffffu);
	reg_write(UART_LCR, LCR_8N1 | LCR_DIVISOR);
	reg_write(UART_DATA, (u8)divisor);
	reg_write(UART_IER, (u8)(divisor >> 8));
}

int uart_init(u32 kind, u64 base, u32 stride, u32 baud)
{
	uart.kind = BOOT_SERIAL_NONE;
	if (kind == BOOT_SERIAL_NONE || !base || (kind == BOOT_SERIAL_PORT && base > 0xfff8))
		return ERR_NOENT;
	uart.kind = kind;
	uart.base = base;
	uart.stride = stride ? stride : 1;
	reg_write(UART_LCR, LCR_8N1); /* so that register 1 is IER and not half of the divisor */
	reg_write(UART_IER, 0);
	uart.ier = 0;
	if (!answers()) {
		uart.kind = BOOT_SERIAL_NONE;
		return ERR_NOENT;
	}
	if (baud && kind == BOOT_SERIAL_PORT)
		set_divisor(baud);
	reg_write(UART_LCR, LCR_8N1);
	reg_write(UART_FCR, FCR_ENABLE_RESET | FCR_TRIGGER_8);
	uart.fifo = (reg_read(UART_IIR) & 0xc0) == 0xc0 ? FIFO_SIZE : 1;
	return 0;
}

bool uart_present(void)
{
	return uart.kind != BOOT_SERIAL_NONE;
}

int uart_irq(void)
{
	if (uart.kind != BOOT_SERIAL_PORT)
		return -1;
	switch (uart.base) {
	case 0x3f8:
	case 0x3e8:
		return 4;
	case 0x2f8:
	case 0x2e8:
		return 3;
	default:
		return -1;
	}
}

/* ---- moving bytes, under the lock ---- */

static u32 tx_used(void)
{
	return uart.tx_head - uart.tx_tail;
}

static void rx_put(char c)
{
	if (uart.rx_head - uart.rx_tail == UART_RX_SIZE) {
		uart.stats.rx_dropped++;
		return;
	}
	rx[uart.rx_head++ % UART_RX_SIZE] = c;
	uart.stats.received++;
}

/* Returns enum uart_event bits.  Bounded: a port that always has data is broken. */
static u32 receive(void)
{
	u32 events = 0;
	u8 lsr;

	for (int i = 0; i < 4 * FIFO_SIZE; i++) {
		lsr = reg_read(UART_LSR);
		if (lsr == 0xff) /* the port went away */
			break;
		if (lsr & LSR_OVERRUN)
			uart.stats.overruns++;
		if (!(lsr & LSR_DATA))
			break;
		rx_put((char)reg_read(UART_DATA));
		events = UART_INPUT;
	}
	return events;
}

static u32 transmit(void)
{
	u32 events = 0;

	if (tx_used() && (reg_read(UART_LSR) & LSR_THR_EMPTY)) {
		uart.dead = false;
		for (int i = 0; i < uart.fifo && tx_used(); i++, uart.stats.sent++)
			reg_write(UART_DATA, (u8)tx[uart.tx_tail++ % UART_TX_SIZE]);
	}
	if (uart.interrupts)
		ier_set(tx_used() ? uart.ier | IER_TX : uart.ier & ~IER_TX);
	if (uart.refused && tx_used() <= UART_TX_SIZE / 2) {
		uart.refused = false;
		events = UART_ROOM;
	}
	return events;
}

static void notify(u32 events)
{
	if (events && uart_notify)
		uart_notify(events);
}

void uart_enable_interrupts(void)
{
	if (!uart_present())
		return;
	spin_lock(&lock);
	uart.interrupts = true;
	/* IER_TX interrupts at once and so proves the route; transmit then takes it away. */
	ier_set(IER_RX | IER_LINE | IER_TX);
	spin_unlock(&lock);
}

void uart_interrupt(void)
{
	u32 events = 0;

	if (!uart_present())
		return;
	spin_lock(&lock);
	uart.stats.interrupts++;
	uart.proven = true;
	/* The line is an edge: it must be seen low once before it can rise again. */
	for (int i = 0; i < 64 && !(reg_read(UART_IIR) & IIR_NONE); i++) {
		events |= receive();
		events |= transmit();
		reg_read(UART_MSR);
	}
	spin_unlock(&lock);
	notify(events);
}

bool uart_poll(void)
{
	u32 events;
	bool again;

	if (!uart_present())
		return false;
	spin_lock(&lock);
	events = receive();
	events |= transmit();
	again = !uart.proven;
	spin_unlock(&lock);
	notify(events);
	return again;
}

/* ---- for others ---- */

size_t uart_write(const char *text, size_t len)
{
	size_t room, taken;

	if (!uart_present())
		return len;
	spin_lock(&lock);
	room = UART_TX_SIZE - tx_used();
	taken = MIN(len, room);
	for (size_t i = 0; i < taken; i++)
		tx[uart.tx_head++ % UART_TX_SIZE] = text[i];
	if (taken < len)
		uart.refused = true;
	else if (!(uart.ier & IER_TX))
		transmit();
	spin_unlock(&lock);
	return taken;
}

size_t uart_room(void)
{
	size_t room;

	spin_lock(&lock);
	room = UART_TX_SIZE - tx_used();
	spin_unlock(&lock);
	return room;
}

size_t uart_read(char *text, size_t len)
{
	size_t n = 0;

	spin_lock(&lock);
	while (n < len && uart.rx_tail != uart.rx_head)
		text[n++] = rx[uart.rx_tail++ % UART_RX_SIZE];
	spin_unlock(&lock);
	return n;
}

void uart_stats(struct uart_stats *out)
{
	spin_lock(&lock);
	*out = uart.stats;
	spin_unlock(&lock);
}

void uart_drain(u64 us)
{
	u64 start = rdtsc(), cycles = us * (tsc_hz() / 1000000 + 1);

	if (!uart_present())
		return;
	spin_lock(&lock);
	while (tx_used() && rdtsc() - start < cycles)
		transmit();
	wait_lsr(LSR_ALL_EMPTY, MIN(us, CHAR_WAIT_US));
	spin_unlock(&lock);
}

/* ---- in a panic ---- */

void uart_panic(void)
{
	if (!uart_present())
		return;
	lock.taken = 0;
	uart.interrupts = false;
	reg_write(UART_IER, 0);
	uart.ier = 0;
	while (tx_used())
		uart_write_polled(&tx[uart.tx_tail++ % UART_TX_SIZE], 1);
}

void uart_write_polled(const char *text, size_t len)
{
	if (!uart_present())
		return;
	for (size_t i = 0; i < len; i++) {
		uart.dead = !wait_lsr(LSR_THR_EMPTY, uart.dead ? 0 : CHAR_WAIT_US);
		if (!uart.dead)
			reg_write(UART_DATA, (u8)text[i]);
	}
}

int uart_read_polled(void)
{
	u8 lsr;

	if (!uart_present())
		return -1;
	lsr = reg_read(UART_LSR);
	return lsr != 0xff && (lsr & LSR_DATA) ? reg_read(UART_DATA) : -1;
}
